"""The certificate of a release: what went out, what was proved of it, against whom. No hidden figure is in it.

It goes out with the release, as JSON and as a page that fetches nothing. Which cells were hidden for their own sake is
for the ledger alone.
"""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class TableShown:
    """How much of a table is shown."""

    name: str
    rows: int
    cells: int
    hidden: int


@dataclass(frozen=True)
class Certificate:
    """What is certified of a release. Times are ISO, in UTC."""

    release_id: int
    made_at: str
    until_quarter: str | None
    notice: str
    tables: tuple[TableShown, ...]
    tables_without_persons: tuple[str, ...]
    cells: int
    """Cells with complements, each counted once in however many tables it stands."""
    hidden: int
    """Of the published cells."""
    left_out: int
    """Cuts of a place and period whose rows are left out of a table, as nothing would protect them; `left_out` lists
    them."""
    narrowest_interval: float | None
    """Of what can be concluded about a hidden value; None when nothing is hidden."""
    attacker: str
    threshold: int
    width: int
    group_disclosure: tuple[str, ...]
    audited_together: tuple[str, ...]
    """This release and the earlier ones whose figures differ from it."""
    new_periods: tuple[str, ...]
    sealed_periods: tuple[str, ...]
    """Periods whose figures had all gone out before, unchanged."""
    revised_periods: tuple[str, ...]
    """Periods of which a figure that had gone out is changed."""
    solver: str
    programs: int
    integer_programs: int
    joint_cells: int
    protecting_seconds: float
    auditing_seconds: float
    passed: bool

    def as_json(self) -> str:
        """The certificate for programs."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"


def write_certificate(certificate: Certificate, folder: Path) -> None:
    """Write `certificate.json` and `certificate.html` into a folder."""
    (folder / "certificate.json").write_text(certificate.as_json(), encoding="utf-8")
    (folder / "certificate.html").write_text(page(certificate), encoding="utf-8")


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:black}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{padding:.3rem .6rem;border-bottom:1px solid lightgray;text-align:left}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}[lang=en]{color:dimgray}"
    ".notice{background:lemonchiffon;padding:.6rem}"
)


def page(certificate: Certificate) -> str:
    """The certificate for people: Swedish, with English beneath."""
    c = certificate
    verdict = (
        ("Godkänd", "Passed") if c.passed else ("Inte godkänd: inget har lämnats ut", "Failed: nothing has gone out")
    )
    narrowest = "–" if c.narrowest_interval is None else f"{c.narrowest_interval:g}"
    facts = [
        ("Utgåva", "Release", str(c.release_id)),
        ("Gjord", "Made", c.made_at),
        ("Till och med kvartal", "Up to quarter", c.until_quarter or "–"),
        ("Prövning", "Verdict", " / ".join(verdict)),
        ("Skyddas", "Protected", f"1–{c.threshold - 1}; 0 % och 100 %: {', '.join(c.group_disclosure)}"),
        (
            "Minsta osäkerhet om ett dolt värde",
            "Narrowest interval of a hidden value",
            f"{narrowest} (krav / required: {c.width})",
        ),
        ("Angripare", "Attacker", _ATTACKERS.get(c.attacker, c.attacker)),
        ("Celler i systemet", "Cells in the system", f"{c.cells:,}".replace(",", " ")),
        ("Dolda värden", "Hidden values", f"{c.hidden:,}".replace(",", " ")),
        (
            "Utelämnat, eftersom inget skyddar det",
            "Left out, as nothing would protect it",
            f"{c.left_out}" + (": se tabellen left_out / listed in the table left_out" if c.left_out else ""),
        ),
        ("Prövat tillsammans", "Audited together", ", ".join(c.audited_together)),
        ("Nya perioder", "New periods", ", ".join(c.new_periods) or "–"),
        ("Oförändrade perioder", "Unchanged periods", ", ".join(c.sealed_periods) or "–"),
        ("Reviderade perioder", "Revised periods", ", ".join(c.revised_periods) or "–"),
        (
            "Lösare",
            "Solver",
            f"{c.solver}; {c.programs} program, {c.integer_programs} heltalsprogram / integer; "
            f"{c.protecting_seconds:.0f} + {c.auditing_seconds:.0f} s",
        ),
    ]
    rows = "".join(
        f'<tr><th>{html.escape(sv)}<br><small lang="en">{html.escape(en)}</small></th><td>{html.escape(told)}</td></tr>'
        for sv, en, told in facts
    )
    tables = "".join(
        f'<tr><td>{html.escape(t.name)}</td><td class="n">{t.rows}</td><td class="n">{t.cells - t.hidden}</td>'
        f'<td class="n">{t.hidden}</td></tr>'
        for t in c.tables
    )
    notice = f'<p class="notice">{html.escape(c.notice)}</p>' if c.notice else ""
    return (
        '<!doctype html><html lang="sv"><head><meta charset="utf-8">'
        f"<title>Certifikat för utgåva {c.release_id}</title>"
        f"<style>{_STYLE}</style></head><body><h1>Certifikat för utgåva {c.release_id}</h1>{notice}"
        "<p>Vart och ett av de dolda värdena har prövats mot allt som är offentligt tillsammans, även tidigare "
        "utgåvor: vad någon kan räkna ut om det är aldrig snävare än vad som står här. Ett dolt värde kan vara 0.</p>"
        '<p lang="en">Every hidden value has been tried against everything public together, earlier releases included: '
        "what anyone can work out about it is never narrower than told here. A hidden value may be 0.</p>"
        f'<table>{rows}</table><h2>Tabeller <small lang="en">Tables</small></h2><table><tr><th>Tabell</th>'
        f'<th class="n">Rader</th><th class="n">Visade</th><th class="n">Dolda</th></tr>{tables}</table>'
        f"<p>Utan uppgifter om personer, och därför oskyddade: {html.escape(', '.join(c.tables_without_persons))}. "
        f'<span lang="en">These count no persons and need no protection.</span></p></body></html>\n'
    )


_ATTACKERS = {
    "plain": "vet att antal inte är negativa och vad som summerar / knows sums, and that counts are not negative",
    "strong": (
        "vet vad som summerar, att antal är hela och inte negativa, tröskeln, och att en figur som inte ändrats mellan "
        "utgåvor är densamma / knows sums, that counts are whole and not negative, the threshold, and that a figure "
        "unchanged between releases is the same"
    ),
}


def solver_name() -> str:
    """The solver of the linear programs, with its version."""
    import highspy

    return f"HiGHS {highspy.Highs().version()}"
