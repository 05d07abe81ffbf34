"""Endpoints: the token itself, the unit's status, and templates."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from followup.status import StatusLine, status_in
from followup.templates import as_csv, as_template, file_name
from ingest.contracts import load_contracts
from ingest.ledger.api_tokens import Scope
from ingest.ledger.decisions import local_names
from ingest.quarters import Quarter
from portal.api.caller import Caller, needs
from portal.api.models import QUARTER, Status, StatusLineOut, Token
from portal.api.problems import Problem
from portal.api.uploads import XLSX, as_attachment

router = APIRouter(tags=["unit"])
Reader = Annotated[Caller, needs(Scope.READ)]
_TEMPLATE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the file",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in (XLSX, "text/csv")},
    }
}


@router.get("/token", response_model=Token)
def token(caller: Annotated[Caller, needs()]) -> Token:
    """The token that was sent: its unit, scopes and last day. Any token may ask."""
    own = caller.token
    return Token(
        number=own.token_id, name=own.name, unit=own.district_code, scopes=sorted(own.scopes),
        expires_at=own.expires_at.replace(tzinfo=UTC),
    )  # fmt: skip


@router.get("/status", response_model=Status)
def status(
    caller: Reader,
    quarter: Annotated[str | None, Query(pattern=QUARTER, description="Only this one; without it all.")] = None,
) -> Status:
    """Per quarter and dataset, what the unit has handed in and what is missing. Needs scope `read`."""
    chosen = Quarter.parse(quarter) if quarter else None
    lines: list[StatusLine] = []
    for code in sorted(caller.units):
        lines += status_in(caller.portal.ledger, caller.portal.settings, chosen, district=code).lines
    return Status(lines=[StatusLineOut.of(line, Quarter.parse(line.quarter).deadline) for line in lines])


@router.get("/templates/{dataset}", response_class=Response, responses=_TEMPLATE)
def template(
    caller: Reader,
    dataset: Annotated[str, Path(max_length=60, pattern=r"^[a-z_]+$")],
    quarter: Annotated[str | None, Query(pattern=QUARTER)] = None,
    format: Annotated[Literal["xlsx", "csv"], Query()] = "xlsx",
) -> Response:
    """An empty file of a dataset, with the unit's areas and own names. Needs scope `read`."""
    if dataset not in load_contracts():
        raise Problem(404, "not-found", f"dataset is one of {', '.join(load_contracts())}.")
    chosen = Quarter.parse(quarter) if quarter else None
    contract = load_contracts(chosen or Quarter.of(caller.portal.settings.now_date()))[dataset]
    if chosen is not None and not caller.unit.is_valid_in(chosen):
        raise Problem(422, "invalid-values", f"{caller.unit.code} does not report for {chosen}.")
    name = file_name(contract, caller.unit, chosen, format)
    if format == "csv":
        return as_attachment(as_csv(contract), "text/csv", name)
    content = as_template(contract, caller.unit, chosen, local_names(caller.portal.ledger))
    return as_attachment(content, XLSX, name)
