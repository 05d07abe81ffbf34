"""OpenID Connect: what is asked of the city's identity provider, and whether its answer holds.

Authorization code flow with PKCE (S256), state and nonce. The ID token is what counts: its signature by one of the
provider's keys, issuer, audience, times and nonce. Nothing else of the provider is asked for.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from cryptography.fernet import Fernet, InvalidToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet

from ingest.portal_login.passwords import PasswordRefused, read_password_file
from portal.settings import PortalSettings, is_loopback
from portal.signing_in.oidc_rights import OidcUnusable, RightsMapping, load_mapping
from portal.signing_in.oidc_transport import provider_client

ANSWER_PATH = "/logga-in/oidc/svar"
TRANSACTION_SECONDS = 600
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a private key of the provider: never `none`, nor HMAC, whose key could be a public one."""
_KEY_TYPES = ("RSA", "EC", "OKP")
_LEEWAY_SECONDS = 60
_MOST_USED = 100_000
"""Sign-ins in twenty minutes, beyond which none is taken: memory has an end."""
_KEPT_SECONDS = 3600.0
_FAILURE_KEPT_SECONDS = 5.0
_KEYS_AGAIN_SECONDS = 60.0
"""Keys are asked for again because of an unknown one at most so often."""
_ODD = (JoseError, OAuth2Error, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What reading an answer raises that is not as it should be."""

T = TypeVar("T")


class ProviderUnavailable(Exception):
    """The provider does not answer, or not as it should; the message says what, without anything of its answer."""


class AnswerRefused(Exception):
    """What came back does not hold; the message says what, without anything of it."""


@dataclass(frozen=True)
class Transaction:
    """A sign-in under way: what was sent to the provider, and where the user wanted to go."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    back: str


class Transactions:
    """Sign-ins under way, each in a cookie of its browser: encrypted and signed by a key of this process.

    Nothing is kept here but the states that were used, until they are too old anyway.
    """

    def __init__(self) -> None:
        """Draw the key: after a restart users begin anew."""
        self._fernet = Fernet(Fernet.generate_key())
        self._used: dict[str, float] = {}  # in order of time
        self._lock = threading.Lock()

    def sealed(self, transaction: Transaction) -> str:
        """The cookie's value."""
        fields = [transaction.state, transaction.nonce, transaction.verifier, transaction.back]
        return self._fernet.encrypt(json.dumps(fields).encode()).decode()

    def take(self, cookie: str) -> Transaction | None:
        """The transaction of a cookie, once; None where it is too old, was used, or is none of ours."""
        try:
            fields = json.loads(self._fernet.decrypt(cookie.encode(), ttl=TRANSACTION_SECONDS))
        except (InvalidToken, UnicodeEncodeError):
            return None
        found, now = Transaction(*fields), time.monotonic()
        with self._lock:
            while self._used and (oldest := next(iter(self._used))) and self._used[oldest] < now:
                del self._used[oldest]
            if found.state in self._used or len(self._used) >= _MOST_USED:
                return None
            self._used[found.state] = now + 2 * TRANSACTION_SECONDS
        return found


class _Kept:
    """An answer of the provider, asked for again after a while; a failure is remembered for seconds."""

    def __init__(self, kept_seconds: float) -> None:
        self._kept_seconds, self._lock = kept_seconds, threading.Lock()
        self._answer: Any = None
        self._until = self._failed_until = 0.0
        self.asked_at = float("-inf")

    def get(self, ask: Callable[[], T], *, again: bool = False) -> T:
        with self._lock:
            now = time.monotonic()
            if self._until > now and not again:
                return self._answer  # type: ignore[no-any-return]  # what `ask` gave before
            if self._failed_until > now:
                raise ProviderUnavailable("it failed a moment ago")
            self.asked_at = now
            try:
                self._answer = ask()
            except ProviderUnavailable:
                self._failed_until = time.monotonic() + _FAILURE_KEPT_SECONDS
                raise
            self._until = time.monotonic() + self._kept_seconds
            return self._answer  # type: ignore[no-any-return]


class Provider:
    """The identity provider that the installation names. One per process; may be used from several threads."""

    def __init__(self, own: PortalSettings, mapping: RightsMapping, secret: str | None) -> None:
        """Nothing is asked yet."""
        assert own.oidc_issuer is not None
        self.own, self.mapping, self.issuer = own, mapping, own.oidc_issuer
        self.transactions = Transactions()
        self._secret = secret
        self._metadata, self._keys = _Kept(_KEPT_SECONDS), _Kept(_KEPT_SECONDS)

    def authorization_address(self, transaction: Transaction) -> str:
        """Where a browser is sent to sign in.

        Raises:
            ProviderUnavailable: it can't be asked where that is.
        """
        metadata = self.metadata()
        with provider_client() as session:
            address, _ = self._client(session).create_authorization_url(
                metadata["authorization_endpoint"],
                state=transaction.state,
                code_verifier=transaction.verifier,
                nonce=transaction.nonce,
            )
        return str(address)

    def names_itself(self) -> bool:
        """Whether its answers must name it (RFC 9207)."""
        return self.metadata().get("authorization_response_iss_parameter_supported") is True

    def claims(self, code: str, transaction: Transaction) -> dict[str, Any]:
        """Exchange a code for the claims of an ID token that holds.

        Raises:
            ProviderUnavailable: it does not answer, or in a way that can't be read.
            AnswerRefused: it does not know the code, or the ID token does not hold.
        """
        metadata = self.metadata()
        token = self._exchange(metadata["token_endpoint"], code, transaction)
        id_token, access_token = token.get("id_token"), token.get("access_token")
        if not isinstance(id_token, str):
            raise AnswerRefused("no ID token")
        try:
            read = self._verified(id_token, self._allowed(metadata))
            claims = CodeIDToken(
                read.claims,
                read.header,
                {
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self.own.oidc_client_id},
                },
                {"nonce": transaction.nonce, "client_id": self.own.oidc_client_id, "access_token": access_token},
            )
            claims.validate(leeway=_LEEWAY_SECONDS)
        except _ODD as error:
            raise AnswerRefused(f"the ID token does not hold ({type(error).__name__})") from None
        return dict(claims)

    def metadata(self) -> dict[str, Any]:
        """What the provider says of itself (OpenID Connect Discovery).

        Raises:
            ProviderUnavailable: it does not answer, or its answer can't be used.
        """
        return self._metadata.get(self._ask_metadata)

    def _ask_metadata(self) -> dict[str, Any]:
        found = _asked(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise ProviderUnavailable("its metadata name another issuer than FOLLOWUP_PORTAL_OIDC_ISSUER")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not _is_safe(found.get(name), self.issuer):
                raise ProviderUnavailable(f"its metadata have no {name} by https")
        if not self._allowed(found):
            raise ProviderUnavailable("it signs by no algorithm that is accepted")
        return found

    def _allowed(self, metadata: dict[str, Any]) -> list[str]:
        offered = metadata.get("id_token_signing_alg_values_supported", ["RS256"])
        return [one for one in _ALGORITHMS if isinstance(offered, list) and one in offered]

    def _client(self, session: httpx.Client) -> OAuth2Client:
        return OAuth2Client(
            session,
            client_id=self.own.oidc_client_id,
            client_secret=self._secret,
            scope=self.own.oidc_scopes,
            redirect_uri=f"{self.own.url}{ANSWER_PATH}",
            code_challenge_method="S256",
        )

    def _exchange(self, endpoint: str, code: str, transaction: Transaction) -> dict[str, Any]:
        client_id = self.own.oidc_client_id or ""
        fields = {"code": code, "code_verifier": transaction.verifier}
        auth = httpx.Auth()
        if self._secret is None:
            fields["client_id"] = client_id
        else:
            auth = httpx.BasicAuth(quote(client_id, safe=""), quote(self._secret, safe=""))  # RFC 6749, 2.3.1
        try:
            with provider_client() as session:
                return dict(
                    self._client(session).fetch_token(endpoint, auth=auth, grant_type="authorization_code", **fields)
                )
        except OAuth2Error as error:
            if error.error in ("invalid_client", "unauthorized_client"):
                raise ProviderUnavailable("it does not accept the client's id or secret") from None
            raise AnswerRefused("the provider does not accept the code") from None
        except httpx.HTTPError as error:
            raise ProviderUnavailable(f"the token endpoint does not answer ({type(error).__name__})") from None
        except _ODD as error:
            raise ProviderUnavailable(f"the token endpoint's answer can't be read ({type(error).__name__})") from None

    def _verified(self, id_token: str, allowed: list[str]) -> jwt.Token:
        try:
            return jwt.decode(id_token, self._key_set(), algorithms=allowed)
        except InvalidKeyIdError:  # the provider has a new key
            if time.monotonic() - self._keys.asked_at < _KEYS_AGAIN_SECONDS:
                raise
            return jwt.decode(id_token, self._key_set(again=True), algorithms=allowed)

    def _key_set(self, *, again: bool = False) -> KeySet:
        return self._keys.get(self._ask_keys, again=again)

    def _ask_keys(self) -> KeySet:
        listed = _asked(self.metadata()["jwks_uri"]).get("keys")
        keys = []
        for one in listed if isinstance(listed, list) else []:
            if isinstance(one, dict) and one.get("kty") in _KEY_TYPES and one.get("use", "sig") == "sig":
                try:
                    keys.append(JWKRegistry.import_key(one))
                except _ODD:
                    continue  # of a curve that we don't know
        if not keys:
            raise ProviderUnavailable("it has no key to sign with")
        return KeySet(keys)


def provider_of(own: PortalSettings) -> Provider | None:
    """The provider that the settings name; None where they name none.

    Raises:
        OidcUnusable: the mapping or the secret's file can't be used.
    """
    if own.oidc_issuer is None or own.oidc_mapping is None:
        return None
    secret = None
    if own.oidc_client_secret_file is not None:
        try:
            secret = read_password_file(own.oidc_client_secret_file)
        except PasswordRefused as refused:
            said = str(refused).replace("password file", "file").removesuffix(", the password")
            raise OidcUnusable(f"FOLLOWUP_PORTAL_OIDC_CLIENT_SECRET_FILE: {said}") from None
    return Provider(own, load_mapping(own.oidc_mapping), secret)


def _asked(address: str) -> dict[str, Any]:
    try:
        with provider_client() as session:
            answer = session.get(address)
            answer.raise_for_status()
            found = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderUnavailable(f"it does not answer ({type(error).__name__})") from None
    except (ValueError, RecursionError):
        raise ProviderUnavailable("its answer is no JSON") from None
    if not isinstance(found, dict):
        raise ProviderUnavailable("its answer is no JSON object")
    return found


def _is_safe(address: object, issuer: str) -> bool:
    """Whether an address is of https; of http only where the issuer itself is a provider of this machine."""
    if not isinstance(address, str):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and issuer.startswith("http://") and is_loopback(parts.hostname or "")
