"""Files on their way in: choose, check, name, hand in, confirm, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ingest.acting_user import Actor
from ingest.contracts import load_contracts
from ingest.districts import District
from ingest.ledger import ChangeRefused
from ingest.ledger.uploads import Purpose, TooManyPreviews
from portal.context import portal_of
from portal.district.overview import reported_quarters
from portal.district.parameters import quarter_of
from portal.district.previewing import mart_changes
from portal.district.results import change_lines, heading_of, rule_groups
from portal.handover.facade import HandoverRefused, NoFile, Upload
from portal.pages.downloads import download
from portal.pages.render import page
from portal.security.guard import BodyRefused
from portal.security.visit import visit_of
from portal.signing_in.access import NotHere, OwnUnit, SentForm, SomeUser

router = APIRouter(prefix="/enhet/{code}")
_Id = Annotated[str, Path(pattern="^[a-z2-7]{26}$")]
_STEPS = {"läser": "reading", "prövar regler": "rules", "lagrar": "storing"}
_PURPOSES: dict[str, Purpose] = {"kontrollera": "check", "lamna-in": "submit"}


@dataclass(frozen=True)
class FileLine:
    """A file on its way, as lists and pages show it: `state` and `step` as `components/` name them."""

    upload: Upload
    state: str
    text: str | None
    step: str | None

    @classmethod
    def of(cls, upload: Upload) -> FileLine:
        """The line of an upload."""
        state, text = str(upload.state), None
        if upload.state == "checked":
            state, text = ("checked", "Kan lämnas in") if upload.is_accepted else ("refused", "Har fel att rätta")
        elif upload.state == "unpacked":
            state, text = "accepted", "Uppackad"
        step = _STEPS.get(upload.step or "") if upload.state == "working" else None
        return cls(upload, state, text, "upload" if upload.state == "receiving" else step)


@router.post("/filer")
async def receive(request: Request, unit: OwnUnit, user: SomeUser, gor: str = "kontrollera") -> Response:
    """Receive files, to be checked or handed in by a worker."""
    portal, visit = portal_of(request), visit_of(request)
    purpose = _PURPOSES.get(gor)
    if purpose is None:
        raise NotHere
    if not _is_form_with_files(request):
        return await run_in_threadpool(_no_file, request, unit)
    in_header = request.headers.get("x-csrf-token")

    def check_fields(fields: dict[str, str]) -> None:
        if not visit.sent_form(in_header or fields.get("csrf")):
            raise BodyRefused(403, "Sidan har blivit för gammal. Ladda om den och gör om det senaste.")

    try:
        received = await portal.handover.receive(
            request.stream(),
            request.headers.get("content-type", ""),
            district_code=unit.code,
            actor=Actor("user", user.user.name),
            purpose=purpose,
            check_fields=check_fields,
        )
    except NoFile:
        return await run_in_threadpool(_no_file, request, unit)
    except HandoverRefused as refused:
        raise BodyRefused(refused.status, str(refused)) from None
    return await run_in_threadpool(_to_received, unit, received.batch_id, received.upload_ids)


def _no_file(request: Request, unit: District) -> Response:
    return page(
        request, "error.html", status=NoFile.status, heading="Välj en fil", back=f"/enhet/{unit.code}/#lamna",
        text="Ingen fil var vald. Välj minst en fil, och tryck sedan på Kontrollera eller Lämna in.",
    )  # fmt: skip


def _to_received(unit: District, batch_id: str, upload_ids: tuple[str, ...]) -> Response:
    if len(upload_ids) == 1:
        return RedirectResponse(f"/enhet/{unit.code}/filer/{upload_ids[0]}", 303)
    return RedirectResponse(f"/enhet/{unit.code}/omgang/{batch_id}", 303)


def _is_form_with_files(request: Request) -> bool:
    """Whether the request is a form that can have files; one that can't has none, and the guard has looked at it."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == "multipart/form-data"


@router.get("/omgang/{batch_id}")
def batch(request: Request, unit: OwnUnit, batch_id: _Id) -> Response:
    """The files that came together."""
    files = [one for one in portal_of(request).handover.batch(batch_id) if one.district_code == unit.code]
    if not files:
        raise NotHere
    is_under_way = any(one.is_under_way for one in files)
    return page(
        request, "district/batch.html", unit=unit, lines=[FileLine.of(one) for one in files], is_under_way=is_under_way
    )


@router.get("/filer/{upload_id}")
def file(request: Request, unit: OwnUnit, upload_id: _Id) -> Response:
    """One file: how far it has come, and what was found."""
    return _file_page(request, unit, _own(request, unit, upload_id))


@router.get("/filer/{upload_id}/rad")
def file_line(request: Request, unit: OwnUnit, upload_id: _Id) -> Response:
    """A file's line in the list of those that came together."""
    line = FileLine.of(_own(request, unit, upload_id))
    return page(request, "district/file_line.html", unit=unit, line=line)


@router.get("/filer/{upload_id}/lage")
def file_state(request: Request, unit: OwnUnit, upload_id: _Id) -> Response:
    """The part of a file's page that moves; once it has ended, the whole page is opened anew."""
    found = _own(request, unit, upload_id)
    response = page(request, "district/file_state.html", unit=unit, line=FileLine.of(found))
    if not found.is_under_way:
        response.headers["hx-refresh"] = "true"
    return response


@router.get("/filer/{upload_id}/aterkoppling.xlsx")
def workbook(request: Request, unit: OwnUnit, upload_id: _Id) -> Response:
    """The file with its faults marked."""
    found = _own(request, unit, upload_id)
    content = portal_of(request).handover.workbook(upload_id)
    if content is None:
        raise NotHere
    return download(content, f"{found.file_name}.aterkoppling.xlsx")


@router.post("/filer/{upload_id}/namn")
def name(request: Request, unit: OwnUnit, user: SomeUser, form: SentForm, upload_id: _Id) -> Response:
    """Say which dataset and quarter a file is of whose name does not say."""
    portal, found = portal_of(request), _own(request, unit, upload_id)
    dataset, quarter = form.get("dataset"), quarter_of(form.get("kvartal"))
    errors = []
    if dataset not in load_contracts():
        errors.append(("dataset", "Välj vilket dataset filen är."))
    if quarter is None or quarter not in reported_quarters(portal, unit):
        errors.append(("kvartal", "Välj vilket kvartal filen gäller."))
    if errors or quarter is None:
        return _file_page(request, unit, found, status=422, errors=errors, given=(dataset, form.get("kvartal")))
    return _decided(request, unit, user, found, lambda: portal.handover.name(upload_id, dataset, quarter))


@router.post("/filer/{upload_id}/lamna-in")
def submit(request: Request, unit: OwnUnit, user: SomeUser, form: SentForm, upload_id: _Id) -> Response:
    """Hand in a file that was checked; `bekraftat` where its page has shown what it changes."""
    portal, found = portal_of(request), _own(request, unit, upload_id)
    is_confirmed = form.get("bekraftat") == "ja"
    return _decided(request, unit, user, found, lambda: portal.handover.submit(upload_id, is_confirmed=is_confirmed))


@router.post("/filer/{upload_id}/bekrafta")
def confirm(request: Request, unit: OwnUnit, user: SomeUser, form: SentForm, upload_id: _Id) -> Response:
    """Agree that a file replaces the version in force."""
    portal, found = portal_of(request), _own(request, unit, upload_id)
    return _decided(request, unit, user, found, lambda: portal.handover.confirm(upload_id))


@router.post("/filer/{upload_id}/avbryt")
def cancel(request: Request, unit: OwnUnit, user: SomeUser, form: SentForm, upload_id: _Id) -> Response:
    """Give up a file."""
    portal, found = portal_of(request), _own(request, unit, upload_id)
    return _decided(request, unit, user, found, lambda: portal.handover.cancel(upload_id))


@router.post("/filer/{upload_id}/forhandsvisa")
def preview(request: Request, unit: OwnUnit, user: SomeUser, form: SentForm, upload_id: _Id) -> Response:
    """Ask which figures the file would change."""
    portal, found = portal_of(request), _own(request, unit, upload_id)
    return _decided(request, unit, user, found, lambda: portal.handover.start_preview(upload_id))


def _own(request: Request, unit: District, upload_id: str) -> Upload:
    found = portal_of(request).handover.upload(upload_id)
    if found is None or found.district_code != unit.code:
        raise NotHere
    return found


def _decided(request: Request, unit: District, user: SomeUser, found: Upload, decide: Callable[[], None]) -> Response:
    """Do what the sender decided, and show the file; where its state has changed meanwhile, say so."""
    try:
        with user.acting():
            decide()
    except TooManyPreviews:
        message = "Enheten väntar redan på flera beräkningar. Vänta tills någon är klar, eller bekräfta utan att vänta."
        return _file_page(request, unit, found, status=429, messages=[("warning", message)])
    except ChangeRefused:
        message = "Det gick inte: filen har ändrat läge sedan sidan visades. Det här gäller nu."
        now = _own(request, unit, found.upload_id)
        return _file_page(request, unit, now, status=409, messages=[("warning", message)])
    return RedirectResponse(f"/enhet/{unit.code}/filer/{found.upload_id}", 303)


def _file_page(
    request: Request,
    unit: District,
    found: Upload,
    *,
    status: int = 200,
    errors: list[tuple[str, str]] | None = None,
    given: tuple[str, str] = ("", ""),
    messages: list[tuple[str, str]] | None = None,
) -> Response:
    portal = portal_of(request)
    if found.submission_id is not None and found.state in ("accepted", "refused") and status == 200:
        return RedirectResponse(f"/enhet/{unit.code}/inlamning/{found.submission_id}", 303)
    report = portal.handover.report(found.upload_id) if not found.is_under_way else None
    preview = portal.handover.preview_of(found.upload_id)
    return page(
        request,
        "district/file.html",
        status=status,
        unit=unit,
        file=found,
        line=FileLine.of(found),
        report=report,
        heading=heading_of(report) if report is not None else "",
        groups=rule_groups(report) if report is not None else (),
        changes=change_lines(report["changes"], found.dataset)
        if report is not None and report.get("changes")
        else None,
        has_workbook=bool(report and report["findings"]),
        preview=preview,
        figure_changes=mart_changes(preview.result) if preview is not None and preview.result is not None else (),
        datasets=[(name, contract.title_sv) for name, contract in load_contracts().items()],
        quarters=reported_quarters(portal, unit) if found.state == "unnamed" else (),
        errors=errors or [],
        given=given,
        messages=messages or [],
    )
