"""What the portal's pages work with: one object per process."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from starlette.requests import Request

from ingest.districts import DistrictRegistry, load_districts
from ingest.ledger import Ledger
from ingest.ledger.sessions import SessionTimes
from ingest.portal_login.passwords import Passwords
from ingest.portal_login.signing_in import session_times
from ingest.quarters import Quarter
from ingest.settings import Settings
from portal.handover.facade import Handover
from portal.settings import PortalSettings
from portal.signing_in.oidc import Provider

_REMEMBERED_SECONDS = 10.0


@dataclass
class _Remembered:
    """Whether all in force is synthetic, as last asked."""

    answer: bool = False
    until: float = 0.0


@dataclass
class Refusals:
    """How often each session was refused something in the last hour; of this process, and forgotten with it."""

    _times: dict[int, list[float]] = field(default_factory=dict)

    def count(self, session_id: int) -> int:
        """Count one more, and return how many there are."""
        now = time.monotonic()
        for number, times in list(self._times.items()):
            if times[-1] < now - 3600:
                self._times.pop(number, None)
        recent = [one for one in self._times.get(session_id, []) if one > now - 3600]
        self._times[session_id] = [*recent, now]
        return len(recent) + 1


@dataclass(frozen=True)
class Portal:
    """An installation as its portal sees it."""

    settings: Settings
    own: PortalSettings
    ledger: Ledger
    passwords: Passwords
    oidc: Provider | None = None
    """The city's identity provider, where the installation names one."""
    refusals: Refusals = field(default_factory=Refusals, repr=False, compare=False)
    _synthetic: _Remembered = field(default_factory=_Remembered, repr=False, compare=False)

    @cached_property
    def handover(self) -> Handover:
        """Files on their way in."""
        return Handover(self.settings, self.ledger, is_for_trials=self.own.synthetic)

    @property
    def times(self) -> SessionTimes:
        """When sessions end."""
        return session_times(self.settings)

    @property
    def registry(self) -> DistrictRegistry:
        """All units, also those that have merged."""
        return load_districts()

    @property
    def today(self) -> date:
        """The city's date, by the installation's clock."""
        return self.settings.now_date()

    @property
    def newest_quarter(self) -> Quarter:
        """The newest quarter that has ended."""
        return Quarter.of(self.today).previous()

    def is_synthetic(self) -> bool:
        """Whether all in force is synthetic; asked anew at most every ten seconds. Nothing in force: whether the
        portal is for trials."""
        now = time.monotonic()
        if now > self._synthetic.until:
            in_force = self.ledger.in_force()
            self._synthetic.answer = bool(in_force or self.own.synthetic) and all(one.is_synthetic for one in in_force)
            self._synthetic.until = now + _REMEMBERED_SECONDS
        return self._synthetic.answer


def portal_of(request: Request) -> Portal:
    """The portal that a request came to."""
    portal = request.app.state.portal
    assert isinstance(portal, Portal)
    return portal
