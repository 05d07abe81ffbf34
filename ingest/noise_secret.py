"""The noise secret, under which published counts deviate. It is never rotated, and drawn anew only on request."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ingest.ledger import Ledger
from ingest.ledger.draws import noise_fingerprint, remember_noise
from ingest.persons.keys import Keys, load_keys, replace_keys, with_noise_secret
from ingest.recording import IntakeContext
from ingest.settings import SettingsError

_ASKED = "if it is lost for good, `followup keys noise --draw-anew` draws every published figure once more"


def _fingerprint(secret: bytes) -> str:
    """A digest that identifies the secret and reveals nothing of it: 32 hexadecimal digits."""
    return hashlib.sha256(b"noise secret of this installation\0" + secret).hexdigest()[:32]


def noise_secret(keys: Keys, ledger: Ledger) -> bytes:
    """The secret under which this installation's figures are drawn: 32 bytes.

    The ledger remembers the fingerprint of the first that is used.

    Raises:
        SettingsError: the key file has none, or another than figures were drawn with; the message says what to do.
    """
    remembered = noise_fingerprint(ledger)
    if keys.noise_secret is None:
        raise SettingsError(
            "the key file has no noise secret: draw it with `followup keys noise`"
            if remembered is None
            else f"the key file lacks the noise secret that figures were drawn with: restore its newest copy; {_ASKED}"
        )
    made = _fingerprint(keys.noise_secret)
    if ledger.claim("noise_secret", made) != made:
        raise SettingsError(
            f"the key file has another noise secret than figures were drawn with: restore its newest copy; {_ASKED}"
        )
    return keys.noise_secret


def draw_noise_secret(intake: IntakeContext, *, anew: bool = False) -> None:
    """Draw the noise secret and put it into the key file. Killed between the two writes, it is run again.

    Args:
        intake: the installation's.
        anew: also where figures were drawn with another one, which is lost or known to others.

    Raises:
        SettingsError: there is one, or figures were drawn with one that the key file lacks, and `anew` is not asked
            for; or the key file can't be written. Nothing is changed.
        LeaseBusy: another process works with the keys, or publishes.
    """
    with intake.ledger.lease("keys"), intake.ledger.lease("publish"):
        keys = load_keys(intake.settings.keys)
        if not anew and keys.noise_secret is not None:
            raise SettingsError(f"the key file has a noise secret, and it is never rotated; {_ASKED}")
        if not anew and noise_fingerprint(intake.ledger) is not None:
            noise_secret(replace(keys, noise_secret=None), intake.ledger)
        keys = with_noise_secret(keys)
        replace_keys(intake.settings.keys, keys)
        if keys.noise_secret is not None and noise_fingerprint(intake.ledger) is not None:
            remember_noise(intake.ledger, _fingerprint(keys.noise_secret))
