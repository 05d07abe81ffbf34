"""An identity provider that runs in the tests' own process: Authlib's authorization server behind an HTTP server.

`twist` makes it go wrong: each test says how.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from authlib.oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import OAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "uppföljning", "hemlig:mot leverantören"


class Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return ""

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == "http://127.0.0.1:8090/logga-in/oidc/svar"

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return bool(method == "client_secret_basic")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class Payload(OAuth2Payload):  # type: ignore[misc]
    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    @property
    def data(self) -> dict[str, str]:
        return dict(self._pairs)

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in self._pairs:
            found[name].append(value)
        return found


class Asked(OAuth2Request):  # type: ignore[misc]
    def __init__(self, method: str, path: str, headers: dict[str, str], body: str) -> None:
        super().__init__(method, f"https://provider.example{path}", headers=headers)
        query = parse_qsl(urlsplit(path).query)
        self._form = dict(parse_qsl(body))
        self._args = dict(query)
        self.payload = Payload([*query, *parse_qsl(body)])

    @property
    def args(self) -> dict[str, str]:
        return self._args

    @property
    def form(self) -> dict[str, str]:
        return self._form


@dataclass
class Code:
    """One code that was given out."""

    code: str
    redirect_uri: str
    scope: str
    nonce: str | None
    challenge: str | None
    method: str | None
    auth_time: int = field(default_factory=lambda: int(time.time()))

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None

    @property
    def code_challenge(self) -> str | None:
        return self.challenge

    @property
    def code_challenge_method(self) -> str | None:
        return self.method


Twist = Callable[[dict[str, Any]], dict[str, Any]]


class IdentityProvider:
    """The provider. `claims` are those of whoever signs in."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "a", "use": "sig", "alg": "RS256"})]
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, Code] = {}
        self.requests: list[str] = []
        self.raw: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        """path → answers instead of the provider."""
        self.metadata_twist: Twist = lambda metadata: metadata
        self.claims_twist: Twist = lambda claims: claims
        self.signing: Callable[[dict[str, Any]], str] | None = None
        """Signs the ID token's claims instead of the provider's key."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self._server = self._authorization_server()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def authorize(self, address: str) -> str:
        """Sign in as a user would, at the address that the portal sent the browser to; returns where it leads back."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}" == self.issuer and parts.path == "/authorize"
        asked = Asked("GET", f"{parts.path}?{parts.query}", {}, "")
        grant = self._server.get_consent_grant(asked, end_user=SimpleNamespace(claims=self.claims))
        answer = self._server.create_authorization_response(asked, grant_user=asked.user, grant=grant)
        assert answer.status == 302, answer
        return str(dict(answer.headers)["Location"])

    def metadata(self) -> dict[str, Any]:
        return self.metadata_twist(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            }
        )

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.keys[0].kid}, claims, self.keys[0])

    def _authorization_server(self) -> Any:
        provider = self

        class Server(AuthorizationServer):  # type: ignore[misc]
            def query_client(self, client_id: str) -> Client | None:
                return Client() if client_id == CLIENT else None

            def save_token(self, token: Any, request: Any) -> None:
                pass

            def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
                pass

            def create_oauth2_request(self, request: Asked) -> Asked:
                return request

            def handle_response(self, status: int, body: Any, headers: Any) -> Any:
                return SimpleNamespace(status=status, body=body, headers=headers)

        class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
            TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

            def save_authorization_code(self, code: str, request: Any) -> None:
                data = request.payload.data
                provider.codes[code] = Code(
                    code, request.payload.redirect_uri, request.scope, data.get("nonce"), data.get("code_challenge"),
                    data.get("code_challenge_method"),
                )  # fmt: skip

            def query_authorization_code(self, code: str, client: Client) -> Code | None:
                return provider.codes.get(code)

            def delete_authorization_code(self, authorization_code: Code) -> None:
                del provider.codes[authorization_code.code]

            def authenticate_user(self, authorization_code: Code) -> Any:
                return SimpleNamespace(claims=provider.claims)

        class IdToken(OpenIDCode):  # type: ignore[misc]
            def exists_nonce(self, nonce: str, request: Any) -> bool:
                return any(one.nonce == nonce for one in provider.codes.values())

            def resolve_client_private_key(self, client: Client) -> KeySet:
                return KeySet([provider.keys[0]])

            def get_client_claims(self, client: Client) -> dict[str, Any]:
                return {"iss": provider.issuer}

            def generate_user_info(self, user: Any, scope: str) -> dict[str, Any]:
                return {"sub": "a-1", **user.claims}

            def encode_id_token(self, token: Any, request: Any) -> str:
                claims = jwt.decode(super().encode_id_token(token, request), provider.keys[0]).claims
                twisted = provider.claims_twist(claims)
                return provider.signing(twisted) if provider.signing else provider.sign(twisted)

        server = Server()
        server.register_token_generator("default", BearerTokenGenerator(lambda **_: "tillträde"))
        server.register_grant(Grant, [CodeChallenge(required=True), IdToken(require_nonce=True)])
        return server

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                provider.requests.append(self.path)
                if self.path in provider.raw:
                    provider.raw[self.path](self)
                elif self.path == "/.well-known/openid-configuration":
                    self.answer(200, provider.metadata())
                elif self.path == "/keys":
                    self.answer(200, {"keys": [one.as_dict(private=False) for one in provider.keys]})
                else:
                    self.answer(404, {})

            def do_POST(self) -> None:
                provider.requests.append(self.path)
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                if self.path in provider.raw:
                    provider.raw[self.path](self)
                    return
                # in the header both are percent-encoded (RFC 6749, 2.3.1), which Authlib's server does not undo
                headers = {"Authorization": _plain(self.headers.get("authorization", ""))}
                answer = provider._server.create_token_response(Asked("POST", self.path, headers, body))
                self.answer(answer.status, answer.body, dict(answer.headers))

            def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler


def _plain(header: str) -> str:
    import base64
    from urllib.parse import unquote

    kind, _, packed = header.partition(" ")
    if not packed:
        return header
    user, _, password = base64.b64decode(packed).decode().partition(":")
    again = f"{unquote(user)}:{unquote(password)}".encode()
    return f"{kind} {base64.b64encode(again).decode()}"


def query_of(address: str) -> dict[str, str]:
    """The parameters of an address, each once."""
    found = parse_qs(urlsplit(address).query, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


def answer_with(
    body: bytes, headers: dict[str, str] | None = None, status: int = 200, times: int = 1, wait: float = 0.0
) -> Any:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            handler.send_header(name, value)
        handler.end_headers()
        try:
            for _ in range(times):
                handler.wfile.write(body)
                time.sleep(wait)
        except OSError:
            pass  # the portal has hung up

    return answer
