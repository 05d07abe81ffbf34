"""What reminders say, in Swedish: per unit what is missing, refused and unanswered.

Nothing personal and no text from a file: only codes and counts of the ledger are used, no finding's text, no name of
a file, no explanation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from followup.status import StatusLine
from followup.swedish import NO_BREAK, counted, dataset_name, day, quarter_name, unit_name
from ingest.quarters import Quarter


@dataclass(frozen=True)
class Letter:
    """A text for a unit or the city's team; `left` counts what is left to do, and without it there is no text."""

    subject: str
    text: str
    left: int


@dataclass(frozen=True)
class UnitLeft:
    """What a unit has left of a quarter: its lines, by what is to be done."""

    missing: tuple[StatusLine, ...]
    refused: tuple[StatusLine, ...]
    asked: tuple[StatusLine, ...]

    @property
    def count(self) -> int:
        """Things to do; a dataset with open queries is one."""
        return len(self.missing) + len(self.refused) + len(self.asked)


def left_of(lines: Sequence[StatusLine]) -> UnitLeft:
    """What is left among a unit's lines of a quarter."""
    return UnitLeft(
        tuple(line for line in lines if line.state != "in_force" and not line.refused),
        tuple(line for line in lines if line.refused),
        tuple(line for line in lines if line.state == "in_force" and line.open_queries),
    )


def letter_to_unit(
    code: str,
    by_quarter: Mapping[Quarter, Sequence[StatusLine]],
    today: date,
    *,
    contact: str,
    address: str | None,
    unnamed: int = 0,
) -> Letter:
    """The reminder of one unit, about all quarters that it has something left of.

    Args:
        code: the unit's.
        by_quarter: the unit's lines.
        today: the city's date.
        contact: who signs it.
        address: of the portal, where there is one.
        unnamed: files of the unit whose name could not be read.
    """
    wanted = [(one, left_of(lines), lines) for one, lines in sorted(by_quarter.items()) if left_of(lines).count]
    left = sum(found.count for _, found, _ in wanted) + bool(unnamed)
    if not left:
        return Letter("", "", 0)
    parts = [f"Hej {unit_name(code)}!"]
    for quarter, found, lines in wanted:
        parts += _of_quarter(quarter, found, lines, today, contact)
    if unnamed:
        parts.append(
            f"{counted(unnamed, 'fil', 'filer')} gick inte att känna igen på namnet. Svaret vid filen säger hur den "
            "ska heta."
        )
    if address:
        parts.append(f"Allt finns på {address}. Skicka inga personuppgifter i svar på det här meddelandet.")
    else:
        parts.append("Skicka inga personuppgifter i svar på det här meddelandet.")
    parts.append(f"Hälsningar\n{contact}")
    about = quarter_name(wanted[-1][0]) if wanted else "inlämningen"
    subject = f"{unit_name(code)}: {counted(left, 'sak', 'saker')} kvar för {about}"
    return Letter(_plain(subject), _plain("\n\n".join(parts)), left)


def _of_quarter(quarter: Quarter, left: UnitLeft, lines: Sequence[StatusLine], today: date, contact: str) -> list[str]:
    is_past = today > quarter.deadline
    deadline = f"Sista dagen {'var' if is_past else 'är'} {day(quarter.deadline)}."
    parts = [f"Det här återstår för {quarter_name(quarter)}. {deadline}"]
    if left.missing:
        heading = "Saknas:" if is_past else "Har inte kommit än:"
        parts.append("\n".join([heading, *(f"- {dataset_name(line.dataset)}" for line in left.missing)]))
    if left.refused:
        listed = (
            f"- {dataset_name(line.dataset)}"
            + (f" (version {line.version} gäller tills vidare)" if line.version else "")
            for line in left.refused
        )
        parts.append("\n".join(["Togs inte in. Rätta felen i återkopplingen och lämna in igen:", *listed]))
    if left.asked:
        listed = (
            f"- {dataset_name(line.dataset)}: {counted(line.open_queries, 'fråga', 'frågor')}" for line in left.asked
        )
        parts.append("\n".join(["Frågor att besvara. Rätta filen, eller förklara varför uppgiften stämmer:", *listed]))
    if any(line.is_locked for line in lines):
        parts.append(f"Kvartalet är låst. Hör av er till {contact} innan ni lämnar in.")
    return parts


def letter_to_city(
    by_unit: Mapping[str, Mapping[Quarter, Sequence[StatusLine]]],
    reminded: Mapping[str, int],
    today: date,
    *,
    contact: str,
    unsure: Sequence[str] = (),
) -> Letter:
    """The overview for the city's team: how many units are done per quarter, and what each of the others has left.

    Args:
        by_unit: lines of each unit and quarter.
        reminded: unit → to how many contacts it gets a reminder today; a unit that is left out gets none.
        today: the city's date.
        contact: who signs it.
        unsure: earlier letters of which nobody knows whether they arrived, in words.
    """
    parts, total = [], 0
    for quarter in sorted({one for lines in by_unit.values() for one in lines}):
        found = {code: left_of(lines.get(quarter, ())) for code, lines in by_unit.items() if quarter in lines}
        rest = {code: left for code, left in found.items() if left.count}
        total += sum(left.count for left in rest.values())
        is_past, units = today > quarter.deadline, counted(len(found), "enhet", "enheter")
        done = len(found) - len(rest)
        parts.append(
            f"{quarter_name(quarter).capitalize()}: {done} av {units} är klar{'a' * (done != 1)}. "
            f"Sista dagen {'var' if is_past else 'är'} {day(quarter.deadline)}."
        )
        if rest:
            parts.append("\n".join(_line_of(code, left, is_past, reminded) for code, left in rest.items()))
    if unsure:
        heading = "Det går inte att veta om dessa brev kom fram. De skickas inte igen:"
        parts.append("\n".join([heading, *(f"- {one}" for one in unsure)]))
    parts.append(f"Hälsningar\n{contact}")
    return Letter(f"Läget i inlämningen {day(today)}".replace(NO_BREAK, " "), _plain("\n\n".join(parts)), total)


def _line_of(code: str, left: UnitLeft, is_past: bool, reminded: Mapping[str, int]) -> str:
    said = []
    if left.missing:
        said.append(f"{len(left.missing)} {'saknas' if is_past else 'väntas'}")
    if left.refused:
        said.append(f"{len(left.refused)} togs inte in")
    if queries := sum(line.open_queries for line in left.asked):
        said.append(counted(queries, "öppen fråga", "öppna frågor"))
    to = reminded.get(code)
    mailed = "ingen påminnelse i dag" if to is None else "ingen kontakt är anmäld"
    if to:
        mailed = f"påminnelse till {counted(to, 'kontakt', 'kontakter')}"
    return f"- {unit_name(code)}: {', '.join(said)}; {mailed}"


@dataclass(frozen=True)
class _Failed:
    """What a failed run of a DAG means, and the chapter of docs/runbook.md that says what to do."""

    subject: str
    meaning: str
    chapter: str


_FAILED = {
    "collect_submissions": _Failed(
        "Insamlingen misslyckades",
        "Minst en enhets filer kunde inte hämtas eller tas emot. De andra enheternas filer är mottagna. "
        "Nästa dags körning försöker igen.",
        "A district's drop location can't be reached",
    ),
    "build_marts": _Failed(
        "Bygget misslyckades",
        "Siffrorna är desamma som före bygget. Inget har gått förlorat.",
        "A build failed",
    ),
    "publish_release": _Failed(
        "Utgåvan kom inte ut",
        "Läsarna ser samma utgåva som förut. Säger loggen att utgåvan är spärrad (blocked) hjälper det inte att köra "
        "igen: vänta på fler uppgifter, eller ge ut färre kvartal.",
        "Publishing",
    ),
    "close_quarter": _Failed(
        "Kvartalet kunde inte stängas",
        "Läs i körningen hur långt den kom. Är kvartalet låst väntar bara utgåvan.",
        "Closing a quarter",
    ),
    "send_reminders": _Failed(
        "Påminnelserna kunde inte skickas",
        "Det som inte har skickats försöker nästa körning skicka samma dag.",
        "Reminders",
    ),
    "guard_readers": _Failed(
        "En läsare har ändrat något i databasen",
        "Det är återställt. Loggen säger vem och vad.",
        "PostgreSQL for BI",
    ),
    "back_up": _Failed(
        "Säkerhetskopian blev inte gjord",
        "De tidigare kopiorna finns kvar. Nästa natts körning försöker igen.",
        "Backup and restore: the drill",
    ),
    "erase_expired": _Failed(
        "Gallringen blev inte klar",
        "Det som har gallrats är gallrat. Nästa körning fortsätter.",
        "Erasing",
    ),
    "apply_contract": _Failed(
        "Det ändrade kontraktet prövades inte färdigt",
        "Det som redan har lästs om gäller. Samma körning kan göras om och fortsätter där den slutade.",
        "A contract, rule, alias or code list changes",
    ),
}
_OTHER = "Exit codes"


def letter_of_failure(dag_id: str, run_id: str, contact: str) -> Letter:
    """What the team is sent when a run has failed: which, what it means, where to read more. No error's text."""
    failed = _FAILED.get(dag_id, _Failed(f"Körningen {dag_id} misslyckades", "", _OTHER))
    parts = [
        f"{failed.subject}. {failed.meaning}".strip(),
        f"Körning: {dag_id} {run_id}",
        "Vad som är fel står i körningens logg i Airflow. Vad du gör står i docs/runbook.md, under "
        f"”{failed.chapter}”. "
        "Misslyckas samma körning igen i dag kommer inget nytt brev.",
        f"Hälsningar\n{contact}",
    ]
    return Letter(failed.subject, _plain("\n\n".join(parts)), 1)


def _plain(text: str) -> str:
    return text.replace(NO_BREAK, " ")
