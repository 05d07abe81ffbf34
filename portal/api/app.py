"""The API as an application of its own, with its description (OpenAPI 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ingest.ledger import LedgerError
from portal.api import submissions, unit, uploads
from portal.api.gate import PATH, Gate
from portal.api.models import ProblemDetails
from portal.api.problems import MEDIA_TYPE, Problem, problem_of_status, unavailable
from portal.context import Portal
from portal.security.guard import BodyRefused

_DESCRIPTION = """\
For a unit's own programs, such as a case system that hands in by itself. The same checks, rules and answers as in the
portal's pages.

- A token acts for **one unit** and has scopes: `check`, `explain`, `read`, `submit`. Send it in the header
  `Authorization: Bearer upf_…`, never in an address.
- Errors are `application/problem+json` (RFC 9457). A refused file has its `findings`, as `followup check --format json`
  prints them; texts about files are Swedish.
- `Idempotency-Key`: send a request again without doing it twice.
- At most 120 requests at once and then 2 a second, and 8 under way, of a token; else 429 with `Retry-After`.
- Times are UTC.
"""
_PROBLEMS = {
    400: "The request can't be read", 401: "No token, or one that is not taken",
    403: "The token is not for this", 404: "There is no such thing, or it is another unit's",
    408: "The content came too slowly, or not whole",
    409: "This can't be done now, or the Idempotency-Key is being used", 413: "Too large",
    415: "This kind of content is not taken", 422: "Values can't be used, or the file has faults",
    429: "Too many requests: wait for Retry-After", 503: "Not available at the moment: wait for Retry-After",
    507: "There is no room for more files: wait for Retry-After",
}  # fmt: skip
_ALWAYS = (400, 401, 403, 413, 422, 429, 503)


def make_api(portal: Portal) -> Gate:
    """The API of an installation, behind its gate; to be mounted at PATH."""
    app = FastAPI(
        title="Uppföljning: API for reporting units",
        version="1.0",
        description=_DESCRIPTION,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        dependencies=[Depends(known_parameters)],
    )
    app.state.portal = portal
    for router in (uploads.router, submissions.router, unit.router):
        app.include_router(router)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BodyRefused, _body_refused)
    app.add_exception_handler(LedgerError, _no_ledger)
    app.add_exception_handler(Exception, _our_fault)
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(_described(app))
        return described

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return Gate(app, portal)


def known_parameters(request: Request) -> None:
    """Refuse what an address has beside an operation's parameters, or twice: a slip would pass unseen.

    Raises:
        Problem: it has such.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    route = request.scope["route"]
    known = {one.alias for one in get_flat_dependant(route.dependant).query_params}
    if set(names) - known:
        said = ", ".join(sorted(known)) or "none"
        raise Problem(422, "invalid-values", f"The address has a parameter that there is not; there are: {said}.")
    if len(names) > len(set(names)):
        raise Problem(422, "invalid-values", "The address has a parameter twice.")


def _described(app: FastAPI) -> dict[str, Any]:
    """The description, with the problems that an operation may answer."""
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes,
        servers=[{"url": PATH}], openapi_version="3.1.0", separate_input_output_schemas=False,
    )  # fmt: skip
    components = found.setdefault("components", {})
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= schema.pop("$defs", {}) | {"ProblemDetails": schema}
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "upf_…"}}
    found["security"] = [{"token": []}]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            statuses = {*_ALWAYS, *((404,) if "{" in path else ()), *((408, 409, 415) if method == "post" else ())}
            statuses |= {507} if (path, method) == ("/uploads", "post") else set()
            for status in sorted(statuses):
                operation["responses"][str(status)] = {"description": _PROBLEMS[status], "content": content}
    return found


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers: Mapping[str, str] | None = error.headers
    return problem_of_status(error.status_code, headers=headers).response()


def _invalid(request: Request, error: Exception) -> Response:
    """Which values can't be used and why; the values are not repeated."""
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(one["type"] == "json_invalid" for one in faults):
        return Problem(400, "bad-request", "The content is not JSON.").response()
    said = [{"where": _place(one), "what": one["msg"]} for one in faults[:20]]
    return Problem(422, "invalid-values", "See errors.", errors=said).response()


def _place(fault: dict[str, Any]) -> str:
    """Where a value is, by our own names; a name that was sent and is none of ours is not repeated."""
    place = list(fault["loc"])
    if fault["type"] == "extra_forbidden":
        place[-1] = "?"
    return "/".join(str(part) for part in place)


def _body_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, BodyRefused)
    response = problem_of_status(error.status, error.message).response()
    response.headers["connection"] = "close"  # what is left of the body is not read
    return response


def _no_ledger(request: Request, error: Exception) -> Response:
    return unavailable().response()


def _our_fault(request: Request, error: Exception) -> Response:
    return Problem(
        500, "our-fault", "It is in our log. Try again; ask the city's team if that does not help."
    ).response()
