"""The certificate of a release: what is published, how it deviates, and what the attacks on it found.

It is published with the release, as JSON and as a page that fetches nothing. No true count is in it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from publish.serving.release_file import in_swedish


@dataclass(frozen=True)
class TableShown:
    """How much of a table is shown.

    Attributes:
        rows: published rows.
        rates: rates in them.
        too_few: of these, null.
    """

    name: str
    rows: int
    rates: int
    too_few: int


@dataclass(frozen=True)
class Finding:
    """What an attack found: `sv` says it in words, `value` in figures."""

    sv: str
    value: str


@dataclass(frozen=True)
class Certificate:
    """What is certified of a release. Times are ISO, in UTC."""

    release_id: int
    made_at: str
    until_quarter: str | None
    notice: str
    how_to_read: str
    not_there: str
    tables: tuple[TableShown, ...]
    figures: int
    js: int
    greatest_deviation: int
    variance: float
    too_few: int
    ptable: tuple[tuple[int, int, float], ...]
    """(true count, published figure, probability), up to a true count of 20."""
    drawn_for_the_first_time: int
    drawn_anew: int
    held: int
    """Groups of figures whose correction waits."""
    revised_periods: tuple[str, ...]
    """Sealed periods of which figures have changed."""
    new_periods: tuple[str, ...]
    attacked: int
    """Figures of the drawn sample that was attacked."""
    seed: int
    findings: tuple[Finding, ...]
    breaches: tuple[str, ...]
    passed: bool
    revisions: tuple[tuple[str, int, str], ...] = ()
    """Sealed quarters that it revises: quarter, number of the revision, and why."""

    def as_json(self) -> str:
        """The certificate for programs."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"


def write_certificate(certificate: Certificate, folder: Path) -> None:
    """Write `certificate.json` and `certificate.html` into a folder."""
    (folder / "certificate.json").write_text(certificate.as_json(), encoding="utf-8")
    (folder / "certificate.html").write_text(page(certificate), encoding="utf-8")


_STYLE = (
    ":root{color-scheme:light dark;--ground:#fff;--ink:#1b2430;--rule:#c9d2dc;--warn:#fff1c2;--on-warn:#3b2a00}"
    "@media (prefers-color-scheme:dark){:root{--ground:#12181f;--ink:#e8edf3;--rule:#3a4755;--warn:#3d3210;"
    "--on-warn:#ffe9a8}}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:52rem;margin:1rem auto;padding:0 1rem;color:var(--ink);"
    "background:var(--ground);overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:normal}"
    ".notice{background:var(--warn);color:var(--on-warn);padding:.6rem;font-weight:700}"
)
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)


def facts(certificate: Certificate) -> list[tuple[str, str]]:
    """(what, what was found): the certificate's lines for people, in Swedish."""
    c = certificate
    verdict = "Godkänd: inget av det som prövades är över gränserna"
    if not c.passed:
        verdict = f"Inte godkänd: {'; '.join(c.breaches)}"
    return [
        ("Utgåva", str(c.release_id)),
        ("Gjord", c.made_at),
        ("Till och med kvartal", c.until_quarter or "–"),
        ("Prövning", verdict),
        ("Antal som visas", _grouped(c.figures)),
        ("Visas aldrig", f"1–{c.js}"),
        ("Största avvikelse", str(c.greatest_deviation)),
        ("Avvikelsens varians", f"{c.variance:g} (för 1–{c.js} den minsta möjliga)"),
        ("Andelar visas från", f"{c.too_few} i nämnaren"),
        ("Nya perioder", ", ".join(c.new_periods) or "–"),
        ("Reviderade perioder", ", ".join(c.revised_periods) or "–"),
        *((f"Revidering {number} av {period}", text) for period, number, text in c.revisions),
        ("Grupper av uppgifter som är nya", str(c.drawn_for_the_first_time)),
        ("Grupper som har ändrats", str(c.drawn_anew)),
        ("Grupper vars rättelse väntar", str(c.held)),
        ("Prövade uppgifter", f"{_grouped(c.attacked)}, slumpvis valda (frö {c.seed})"),
        *((one.sv, one.value) for one in c.findings),
    ]


def read_certificate(text: str | None) -> Certificate | None:
    """A certificate of the ledger; None where there is none, or it is of a version that had other parts."""
    try:
        said = json.loads(text or "null")
        parts = {"tables": TableShown, "findings": Finding}
        made = {name: tuple(kind(**one) for one in said.pop(name)) for name, kind in parts.items()}
        listed = {name: tuple(map(_whole, value)) for name, value in said.items() if isinstance(value, list)}
        return Certificate(**{**said, **listed, **made})
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _whole(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def page(certificate: Certificate) -> str:
    """The certificate for people, in Swedish."""
    c = certificate
    rows = "".join(
        f'<tr><th scope="row">{html.escape(sv)}</th><td>{html.escape(shown)}</td></tr>'
        for sv, shown in facts(certificate)
    )
    tables = "".join(
        f'<tr><td>{html.escape(one.name)}</td><td class="n">{one.rows}</td><td class="n">{one.rates}</td>'
        f'<td class="n">{one.too_few}</td></tr>'
        for one in c.tables
    )
    listed = "".join(
        f'<tr><th scope="row">{true}</th><td>{html.escape(shown)}</td></tr>'
        for true, shown in _likely(c.ptable).items()
    )
    notice = f'<p class="notice">{html.escape(in_swedish(c.notice))}</p>' if c.notice else ""
    return (
        '<!doctype html><html lang="sv"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Certifikat för utgåva {c.release_id}</title>"
        f"<style>{_STYLE}</style></head><body><main><h1>Certifikat för utgåva {c.release_id}</h1>{notice}"
        f"<p>{html.escape(c.how_to_read)} Samma uppgift avviker lika mycket i alla tabeller; bara täljaren i en andel "
        f"skärs vid nämnaren.</p><p>{html.escape(c.not_there)}</p>"
        "<p>Innan utgåvan gavs ut prövades den med försök att räkna ut de sanna antalen. Så gick det:</p>"
        f'<table>{rows}</table><h2>Vad ett antal kan visas som</h2><table><tr><th scope="col">Sant antal</th>'
        f'<th scope="col">Visas som (sannolikhet i procent)</th></tr>{listed}</table>'
        '<h2>Tabeller</h2><table><tr><th scope="col">Tabell</th><th scope="col" class="n">Rader</th>'
        f'<th scope="col" class="n">Andelar</th><th scope="col" class="n">Utan värde: för få</th></tr>{tables}'
        "</table></main></body></html>\n"
    )


def _likely(ptable: tuple[tuple[int, int, float], ...]) -> dict[int, str]:
    """What each true count is published as, with its probability."""
    found: dict[int, list[str]] = {}
    for true, shown, probability in ptable:
        if probability >= 0.0005:
            percent = f"{100 * probability:.1f}".replace(".", ",")
            found.setdefault(true, []).append(f"{shown}: {percent}")
    return {true: "; ".join(one) for true, one in found.items()}


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")
