"""Endpoints: files on their way in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from anyio import CancelScope
from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ingest.contracts import load_contracts
from ingest.ledger import ChangeRefused
from ingest.ledger.api_tokens import Scope
from ingest.ledger.uploads import Purpose
from ingest.quarters import Quarter
from portal.api.bodies import FORM, Fingerprint, Named, as_form, file_name, kind_of
from portal.api.caller import Caller, needs
from portal.api.models import QUARTER, NameIn, Preview, Report, SubmitIn, Upload, Uploads
from portal.api.once import Key, done_once, once
from portal.api.problems import Problem
from portal.handover.facade import HandoverRefused, SpoolFull

router = APIRouter(tags=["uploads"])
Id = Annotated[str, Path(pattern=r"^[a-z2-7]{26}$", description="as its answer gave it")]
Wait = Annotated[int, Query(ge=0, le=25, description="Seconds to wait for what comes of it; 0: answer at once.")]
_LOOK_SECONDS = 0.25
_SENDS = {"check": Scope.CHECK, "submit": Scope.SUBMIT}
Sender = Annotated[Caller, needs(Scope.CHECK, Scope.SUBMIT)]
Follower = Annotated[Caller, needs(Scope.CHECK, Scope.SUBMIT, Scope.READ)]
Submitter = Annotated[Caller, needs(Scope.SUBMIT)]
_FILE: dict[str, Any] = {"type": "string", "format": "binary"}


@router.post(
    "/uploads",
    status_code=202,
    response_model=Uploads,
    responses={200: {"model": Uploads, "description": "All files have been checked, within the wait"}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                FORM: {"schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE}}},
                "text/csv": {"schema": _FILE},
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {"schema": _FILE},
                "application/octet-stream": {"schema": _FILE},
                "application/zip": {"schema": _FILE},
            },
        }
    },
)
async def send(
    request: Request,
    caller: Sender,
    purpose: Annotated[Purpose, Query(description="check: nothing is stored. submit: it is handed in.")],
    name: Annotated[
        str | None, Query(min_length=1, max_length=200, description="Of one file that is the body as it is.")
    ] = None,
    dataset: Annotated[
        str | None, Query(max_length=60, description="With quarter: where the file's name does not say.")
    ] = None,
    quarter: Annotated[str | None, Query(pattern=QUARTER)] = None,
    wait: Wait = 0,
    key: Key = None,
) -> Response:
    """Send files: a form with one or many, or the body is one file. A zip of them is unpacked.

    One file that turns out to be refused within the wait is answered by a problem with its findings. Needs scope
    `check` or `submit`, as the purpose.
    """
    if _SENDS[purpose] not in caller.token.scopes:
        raise Problem(403, "wrong-scope", f"This purpose needs a token with scope {purpose}.")
    named = Named(name, dataset, quarter)
    content_type = request.headers.get("content-type", "")
    kind = kind_of(content_type)
    stream: AsyncIterator[bytes] = request.stream()
    if kind != FORM:
        stream, content_type = as_form(stream, file_name(named, caller.unit.code, kind))
    elif named != Named(None, None, None):
        raise Problem(422, "invalid-values", "In a form each file says its own name; name, dataset and quarter do not.")
    beginning = once(caller, key)
    begun = await run_in_threadpool(beginning.__enter__)
    try:
        mark = Fingerprint(("uploads", purpose), content_type)
        batch_id = await _received(caller, purpose, mark, stream, content_type, is_new=begun.earlier is None)
        if begun.earlier is None:
            begun.answer(mark.hash(), 202, {"batch_id": batch_id})
        elif (again := begun.again(mark.hash())) is not None:
            batch_id = _batch_of(again)
    finally:
        with CancelScope(shield=True):
            await run_in_threadpool(beginning.__exit__, None, None, None)
    return await _answer(caller, batch_id, wait, is_again=begun.earlier is not None)


def _batch_of(answer: Response) -> str:
    import json

    return str(json.loads(bytes(answer.body))["batch_id"])


async def _received(
    caller: Caller,
    purpose: Purpose,
    mark: Fingerprint,
    stream: AsyncIterator[bytes],
    content_type: str,
    *,
    is_new: bool,
) -> str:
    """Hand over what comes, or only look at it where it came before.

    Returns:
        The batch; empty where it came before.
    """
    try:
        watched = mark.watch(stream)
        if is_new:
            received = await caller.handover.receive(
                watched,
                content_type,
                district_code=caller.token.district_code,
                actor=caller.token.actor,
                purpose=purpose,
            )
            return received.batch_id
        async for _ in watched:
            pass
    except HandoverRefused as refused:
        kinds = {413: "too-large", 422: "invalid-values", 507: "no-room"}
        # room comes as files are checked
        headers = {"retry-after": "30"} if refused.status == SpoolFull.status else None
        kind = kinds.get(refused.status, "bad-request")
        raise Problem(refused.status, kind, str(refused), headers=headers) from None
    except ClientDisconnect:
        raise Problem(408, "too-slow", "The content did not come whole.") from None
    return ""


async def _answer(caller: Caller, batch_id: str, wait: int, *, is_again: bool) -> Response:
    until = time.monotonic() + wait
    while True:
        found = await run_in_threadpool(caller.handover.batch, batch_id)
        is_under_way = any(one.is_under_way for one in found)
        if not is_under_way or time.monotonic() >= until:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    headers = {"idempotency-replayed": "true"} if is_again else {}
    if wait and len(found) == 1 and Upload.of(found[0]).next == "correct":
        raise await run_in_threadpool(_refused, caller, Upload.of(found[0]), headers)
    content = Uploads(batch_id=batch_id, uploads=[Upload.of(one) for one in found]).model_dump(mode="json")
    return JSONResponse(content, 202 if is_under_way else 200, headers)


def _refused(caller: Caller, upload: Upload, headers: dict[str, str] | None = None, status: int = 422) -> Problem:
    """A file was refused, with what was found."""
    report = caller.handover.report(upload.upload_id) or {}
    detail = report.get("verdict") or upload.detail or "Filen togs inte in."
    return Problem(
        status,
        "file-refused",
        detail,
        headers=headers,
        upload=upload.model_dump(mode="json"),
        findings=report.get("findings", []),
    )


@router.get("/uploads", response_model=Uploads)
def newest(caller: Follower) -> Uploads:
    """The unit's newest files on their way in, at most 200. Needs scope `check`, `read` or `submit`."""
    return Uploads(batch_id=None, uploads=[Upload.of(one) for one in caller.handover.uploads_of(caller.unit.code)])


@router.get("/uploads/{upload_id}", response_model=Upload)
async def state(caller: Follower, upload_id: Id, wait: Wait = 0) -> Upload:
    """How far a file has come. Needs scope `check`, `read` or `submit`."""
    until = time.monotonic() + wait
    while True:
        found = await run_in_threadpool(caller.upload, upload_id)
        if not found.is_under_way or time.monotonic() >= until:
            return Upload.of(found)
        await asyncio.sleep(_LOOK_SECONDS)


@router.get("/batches/{batch_id}", response_model=Uploads)
def batch(caller: Follower, batch_id: Id) -> Uploads:
    """The files of one request, with those of its archives. Needs scope `check`, `read` or `submit`."""
    found = caller.handover.batch(batch_id)
    if not found:
        raise Problem(404, "not-found", "This unit has no batch with this id.")
    caller.upload(found[0].upload_id)  # of this unit, or refused
    return Uploads(batch_id=batch_id, uploads=[Upload.of(one) for one in found])


@router.get("/uploads/{upload_id}/report", response_model=Report, response_model_exclude_none=False)
def report(caller: Follower, upload_id: Id) -> JSONResponse:
    """What the check found. Needs scope `check`, `read` or `submit`."""
    caller.upload(upload_id)
    found = caller.handover.report(upload_id)
    if found is None:
        raise Problem(404, "not-found", "The file has not been checked yet, or its answer is too old.")
    return JSONResponse(found)


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WORKBOOK: dict[int | str, dict[str, Any]] = {
    200: {"description": "a workbook", "content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/uploads/{upload_id}/workbook", response_class=Response, responses=WORKBOOK)
def workbook(caller: Follower, upload_id: Id) -> Response:
    """The file with its faults marked. Needs scope `check`, `read` or `submit`."""
    caller.upload(upload_id)
    content = caller.handover.workbook(upload_id)
    if content is None:
        raise Problem(404, "not-found", "Nothing was found in the file, or its answer is too old.")
    return as_attachment(content, XLSX, f"{upload_id}.xlsx")


def as_attachment(content: bytes, kind: str, name: str) -> Response:
    """A file to download; its name has letters, digits and . _ - only."""
    return Response(content, 200, {"content-disposition": f'attachment; filename="{name}"'}, kind)


@router.post("/uploads/{upload_id}/name", response_model=Upload)
def give_name(caller: Sender, upload_id: Id, given: NameIn, key: Key = None) -> Response:
    """Say which dataset and quarter an `unnamed` file is. Needs scope `check` or `submit`."""
    if given.dataset not in load_contracts():
        raise Problem(422, "invalid-values", f"dataset is one of {', '.join(load_contracts())}.")
    quarter = Quarter.parse(given.quarter)
    request = ("name", upload_id, given.dataset, str(quarter))
    return _decide(caller, key, upload_id, request, lambda: caller.handover.name(upload_id, given.dataset, quarter))


@router.post("/uploads/{upload_id}/submit", response_model=Upload)
def submit(caller: Submitter, upload_id: Id, given: SubmitIn | None = None, key: Key = None) -> Response:
    """Hand in a file that was checked and accepted. Needs scope `submit`."""
    is_confirmed = given is not None and given.is_confirmed
    found = Upload.of(caller.upload(upload_id))
    if found.next == "correct":
        raise _refused(caller, found, status=409)
    request = ("submit", upload_id, str(is_confirmed))
    return _decide(
        caller, key, upload_id, request, lambda: caller.handover.submit(upload_id, is_confirmed=is_confirmed)
    )


@router.post("/uploads/{upload_id}/confirm", response_model=Upload)
def confirm(caller: Submitter, upload_id: Id, key: Key = None) -> Response:
    """Agree that a file `to_confirm` replaces the version in force. Needs scope `submit`."""
    return _decide(caller, key, upload_id, ("confirm", upload_id), lambda: caller.handover.confirm(upload_id))


@router.post("/uploads/{upload_id}/cancel", response_model=Upload)
def cancel(caller: Sender, upload_id: Id, key: Key = None) -> Response:
    """Give up a file that has not been taken in. Needs scope `check` or `submit`."""
    return _decide(caller, key, upload_id, ("cancel", upload_id), lambda: caller.handover.cancel(upload_id))


@router.post("/uploads/{upload_id}/preview", response_model=Upload)
def start_preview(caller: Sender, upload_id: Id, key: Key = None) -> Response:
    """Ask which figures a checked file would change. Needs scope `check` or `submit`."""
    return _decide(caller, key, upload_id, ("preview", upload_id), lambda: caller.handover.start_preview(upload_id))


@router.get("/uploads/{upload_id}/preview", response_model=Preview)
def preview(caller: Follower, upload_id: Id) -> Preview:
    """Which figures a file would change, once that was asked. Needs scope `check`, `read` or `submit`."""
    caller.upload(upload_id)
    found = caller.handover.preview_of(upload_id)
    if found is None:
        raise Problem(404, "not-found", "No preview was asked for.")
    return Preview(state=found.state, result=found.result)


def _decide(
    caller: Caller, key: str | None, upload_id: str, request: tuple[str, ...], decide: Callable[[], None]
) -> Response:
    """Do what the sender decides about an upload of theirs; answer how it is then."""
    caller.upload(upload_id)

    def act() -> dict[str, Any]:
        try:
            decide()
        except ChangeRefused:
            now = Upload.of(caller.upload(upload_id))
            detail = f"The file is {now.state}: look at `next`."
            raise Problem(409, "not-allowed", detail, upload=now.model_dump(mode="json")) from None
        return Upload.of(caller.upload(upload_id)).model_dump(mode="json")

    return done_once(caller, key, request, act)
