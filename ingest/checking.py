"""Checking one file: read it, conform it, run every rule. `check`, `receive` and the portal all use this one pass."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.checks.arithmetic import IntArray, Sheet, by_value
from ingest.checks.suites import ABOUT_ABSENT_ROWS, Rule, RuleOutcome, load_rules, require_whole_rules, run_rules
from ingest.conforming import ConformedTable, conform
from ingest.contracts import Contract, LocalName, load_contracts
from ingest.failures import is_machine_failure
from ingest.findings import Finding, Severity, Unreadable, file_finding
from ingest.folding import fold
from ingest.history import History, Past, look_back
from ingest.ledger.store import RuleCount
from ingest.mappings.applying import UsedWords, used_words, with_words
from ingest.mappings.documents import DatasetWords, MappingRefused, UnitMapping
from ingest.mappings.settling import settled
from ingest.naming import FileName
from ingest.organisation_tables import read_seed
from ingest.persons.keys import Keys
from ingest.persons.number_cells import cells_with_numbers
from ingest.persons.numbers import why_no_number
from ingest.quarters import Quarter
from ingest.reading.needed_columns import missing_columns
from ingest.reading.tables import RawTable, read_table
from ingest.reading.totals import distinct_cells
from ingest.row_changes import Changes
from ingest.sentinels import DATE_EMPTY
from ingest.settings import MEGABYTE
from ingest.similar_files import SIMILAR_FILE, find_wrong_file
from ingest.similar_names import find_similar_names
from ingest.storing import sketch_of_table
from ingest.unreadable_cells import why_unreadable

log = logging.getLogger(__name__)
_MOST_SAID = 50_000
"""Findings in rows that a report remembers."""
_MOST_CAUSES = 2_000
"""Rows of a rule whose causes are found at once."""


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes:
        rows: rows read, not counting blank ones.
        file_findings: about the file as such; `outcomes`: rows that break rules of the suite.
        skipped: codes of rules that could not be run (no earlier quarter, a missing column).
        table: the conformed rows, for storing; None when the file could not be read.
        absent_keys: row keys of rows that the previous quarter's file left open and this one lacks, in the order of
            the rule's rows.
        changes: how the file differs from the version in force; None without one, or when they were not compared.
        used_words: which of its unit's own words the file uses; None where the unit has none for the dataset.
        explained: how many queries of each rule an earlier explanation answers; empty until they are looked up.
    """

    name: FileName
    rows: int
    file_findings: tuple[Finding, ...]
    outcomes: tuple[RuleOutcome, ...] = ()
    skipped: tuple[str, ...] = ()
    table: ConformedTable | None = field(default=None, repr=False)
    raw: RawTable | None = field(default=None, repr=False)
    absent_keys: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    changes: Changes | None = None
    explained: Mapping[str, int] = field(default_factory=dict)
    used_words: UsedWords | None = None
    _said: dict[tuple[str, int], Finding] = field(default_factory=dict, repr=False, compare=False)
    """Findings in rows by code and position: each answer to the district lists the same ones."""
    _causes: dict[bytes, str] = field(default_factory=dict, repr=False, compare=False)
    """Why cells of a column of numbers are read as none."""

    @property
    def accepted(self) -> bool:
        """Whether the file may be put in force: it has no error, and no rule failed to run."""
        return not any(count.severity == "error" for count in self.counts())

    def counts(self) -> list[RuleCount]:
        """How often each rule fired, by code."""
        totals: Counter[tuple[str, Severity]] = Counter((f.rule, f.severity) for f in self.file_findings)
        for outcome in self.outcomes:
            if outcome.raised:
                totals["FIL-020", "error"] += 1
            else:
                totals[outcome.rule.code, outcome.rule.severity] += len(outcome.rows)
        return [RuleCount(code, severity, number) for (code, severity), number in sorted(totals.items())]

    def total(self, severity: Severity) -> int:
        """How many findings of a severity there are."""
        return sum(count.row_count for count in self.counts() if count.severity == severity)

    def findings(self, per_rule: int | None = None) -> Iterator[Finding]:
        """All findings: about the file first, then rule by rule; at most `per_rule` of each rule."""
        given: Counter[str] = Counter()
        for found in self.file_findings:
            given[found.rule] += 1
            if per_rule is None or given[found.rule] <= per_rule:
                yield found
        for outcome in self.outcomes:
            if outcome.raised:
                yield file_finding("FIL-020", rule=outcome.rule.code)
                continue
            for place in outcome.rows[:per_rule].tolist():
                yield self.finding(outcome.rule, place)

    def message_of(self, rule: Rule) -> str:
        """A rule's message, without the part that depends on the row."""
        if "{codes}" not in rule.message_sv or rule.column is None or self.table is None:
            return rule.message_sv
        codes = self.table.codes[rule.column]
        return rule.message_sv.replace("{codes}", ", ".join(map(codes.with_label, codes.codes)))

    def finding(self, rule: Rule, place: int) -> Finding:
        """The finding of a rule in the row at a position; about absent rows, of the previous quarter's file."""
        if rule.kind == ABOUT_ABSENT_ROWS:
            where = f" (rad {place} i förra kvartalets fil)"
            return Finding(rule.code, rule.severity, None, rule.column, rule.message_sv + where)
        said = self._said.get((rule.code, place))
        if said is None:
            said = self._say(rule, place)
            if len(self._said) < _MOST_SAID:
                self._said[rule.code, place] = said
        return said

    def _say(self, rule: Rule, place: int) -> Finding:
        assert self.table is not None
        row = int(self.table.row_numbers[place])
        message, cause = self.message_of(rule), self._detail(rule, place)
        if cause and "{codes}" in rule.message_sv:  # the cause before the list, which may be long
            said, _, listed = message.partition(". ")
            message, cause = f"{said}{cause}. {listed}", ""
        return Finding(rule.code, rule.severity, row, rule.column, message + cause)

    def _detail(self, rule: Rule, place: int) -> str:
        """Why a cell can't be read, and which code is nearest (`unreadable_cells.why_unreadable`)."""
        if rule.kind not in ("expect_values_to_be_readable", "expect_codes_to_be_unambiguous") or rule.column is None:
            return ""
        if self.raw is None or self.table is None or self.name.dataset is None:
            return ""
        column = load_contracts(self.name.quarter)[self.name.dataset].column(rule.column)
        if column.name not in self.raw.columns:
            return ""
        cell = self.raw.columns[column.name][place].as_py() or b""
        if column.type == "person_number" and self.name.quarter is not None:
            cause = self._why_no_number(rule, cell, self.name.quarter.end)
            return f" ({cause})" if cause else ""
        return why_unreadable(cell.decode(self.raw.encoding).strip(), column, self.table.codes.get(column.name))

    def _why_no_number(self, rule: Rule, cell: bytes, reference: date) -> str:
        """The cause of one cell; those of the rule's first rows are found at once."""
        assert self.raw is not None and rule.column is not None
        if not self._causes:
            rows = np.concatenate([one.rows for one in self.outcomes if one.rule.code == rule.code])[:_MOST_CAUSES]
            first = self.raw.columns[rule.column].take(pa.array(rows)).to_pylist()
            self._causes.update(why_no_number((one or b"" for one in first), self.raw.encoding, reference))
        if cell not in self._causes:
            self._causes.update(why_no_number([cell], self.raw.encoding, reference))
        return self._causes[cell]


@dataclass(frozen=True)
class Circumstances:
    """What a check depends on besides the file itself.

    Attributes:
        keys: for person keys; throwaway ones when nothing is stored or looked up.
        today: the city's date, which decides whether the quarter is over.
        limit_megabytes: a larger file is refused unread.
        past: what is in force; None skips the rules over several files.
        local_names: names of interventions that the city has added beside the seed.
        mapping: the unit's own words; None where it has none.
        is_locked: whether the quarter is locked and no exception is open for the file.
        undocumented: interventions that the board has excepted from documentation; None where it has not decided.
    """

    keys: Keys = field(repr=False)
    today: date
    limit_megabytes: int
    past: Past | None = None
    local_names: tuple[LocalName, ...] = ()
    is_locked: bool = False
    undocumented: frozenset[str] | None = None
    mapping: UnitMapping | None = None


def check_file(raw: bytes, name: FileName, circumstances: Circumstances) -> CheckReport:
    """Check one file. An error in our code refuses the file (FIL-020), and the next files are still checked.

    See `_check_file`. The log says where the error arose, never which value caused it.

    Raises:
        StorageFailure, LedgerError, OSError: what is stored of other files can't be read. The file's own content never
            raises.
        ContractError: a contract or suite is wrong, so that no file can be judged: the operator's to mend, and nothing
            that the sender is told.
    """
    require_whole_rules()
    try:
        return _check_file(raw, name, circumstances)
    except Exception as error:  # any error of ours refuses this file and leaves the others alone
        if is_machine_failure(error):
            raise
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        kind = type(error).__name__
        log.error("%s while checking %s, at %s", kind, name.shown, " > ".join(places[-6:]))
        return CheckReport(name, 0, (*name.findings, file_finding("FIL-020", rule=kind)))


def _check_file(raw: bytes, name: FileName, circumstances: Circumstances) -> CheckReport:
    """Check one file.

    Args:
        raw: its bytes.
        name: from `read_name`.
        circumstances: what else the check depends on.

    Returns:
        A report with every error and query.
    """
    findings = list(name.findings)
    if name.quarter is not None and circumstances.today <= name.quarter.end:
        findings.append(file_finding("FIL-018", quarter=name.quarter, end=name.quarter.end))
    if circumstances.is_locked:
        findings.append(file_finding("FIL-040", quarter=name.quarter))
    if len(raw) > circumstances.limit_megabytes * MEGABYTE:
        findings.append(file_finding("FIL-005", limit=circumstances.limit_megabytes))
        return CheckReport(name, 0, tuple(findings))
    if name.dataset is None or name.quarter is None or name.district is None:
        return CheckReport(name, 0, tuple(findings))
    bare, mapping = load_contracts(name.quarter)[name.dataset], circumstances.mapping
    words = mapping.words_of(name.dataset) if mapping is not None else DatasetWords()
    used = UsedWords(mapping.version) if mapping is not None and words else None
    try:
        contract = with_words(bare, words, name.district, circumstances.local_names)
        as_written = read_table(raw, contract, name.ending)
    except MappingRefused as error:
        log.error("%s: its unit's mapping contradicts the contract: %s", name.shown, error)
        return CheckReport(name, 0, (*findings, file_finding("FIL-095")), used_words=used)
    except Unreadable as error:
        return CheckReport(name, 0, (*findings, error.finding), used_words=used)
    read = settled(as_written, words, contract, name.quarter)
    table = read.table
    if used is not None:
        used = used_words(words, used.version, read, as_written, bare, name.district)
    findings.extend(table.findings)
    findings.extend(_numbers_out_of_place(table, contract))
    conformed = conform(table, contract, name.district, name.quarter, circumstances.keys, circumstances.local_names)
    conformed = replace(conformed, sketch=sketch_of_table(conformed, contract))
    findings.extend(find_wrong_file(table, conformed, contract, circumstances.past, (name.district, name.quarter)))
    findings.extend(find_similar_names(conformed, contract, circumstances.past, circumstances.keys))
    history = look_back(name.dataset, conformed, circumstances.past)
    sheet = sheet_of(conformed, contract, history, circumstances.undocumented)
    lacking, lacking_columns = missing_columns(
        contract, table.missing, table.hints, sheet, conformed.codes, table.row_numbers
    )
    findings.extend(lacking)
    skipped = _skipped(contract, lacking_columns, history)
    if circumstances.past is None:
        skipped.append(SIMILAR_FILE)
    outcomes = run_rules(contract, sheet, suite_parameters(name.quarter), frozenset(skipped))
    return CheckReport(
        name,
        table.rows,
        tuple(findings),
        tuple(_without_consequences(outcomes, table)),
        tuple(skipped),
        conformed,
        table,
        history.absent_keys,
        used_words=used,
    )


def _without_consequences(outcomes: list[RuleOutcome], table: RawTable) -> Iterator[RuleOutcome]:
    """Outcomes without rows where a finding already says what is wrong with a cell that the rule looks at."""
    for outcome in outcomes:
        named = [table.explained[name] for name in outcome.rule.columns if name in table.explained]
        if outcome.raised or outcome.rule.kind == ABOUT_ABSENT_ROWS or not named:
            yield outcome
            continue
        left = outcome.rows[~np.isin(table.row_numbers[outcome.rows], np.concatenate(named))]
        if len(left):
            yield RuleOutcome(outcome.rule, left)


def suite_parameters(quarter: Quarter) -> dict[str, str]:
    """Values of the parameters that suites name with $PARAMETER."""
    days = {
        "quarter_start": quarter.start,
        "quarter_end": quarter.end,
        "two_quarters_before": (quarter.back(2) if quarter.year > 1 else quarter).start,
    }
    return {name: day.isoformat() for name, day in days.items()}


def _skipped(contract: Contract, lacking: frozenset[str], history: History) -> list[str]:
    """Codes of rules that can't be run: a needed column is missing, or the earlier files that they look at."""
    return [
        rule.code
        for rule in load_rules(contract)
        if lacking & set(rule.columns) or (rule.needs is not None and rule.needs not in history.known)
    ]


@lru_cache(maxsize=1)
def _catalogue_sets() -> dict[str, frozenset[str]]:
    """Named sets of the intervention catalogue: those known in one form only."""
    forms = [(row["intervention_code"], row["usual_form"]) for row in read_seed("interventions")]
    return {
        "service_only": frozenset(code for code, form in forms if form == "service"),
        "assessed_only": frozenset(code for code, form in forms if form == "bistand"),
    }


def sheet_of(
    table: ConformedTable, contract: Contract, history: History, undocumented: frozenset[str] | None = None
) -> Sheet:
    """The columns that rules look at: conformed ones, those from other files, earliest and latest birth dates.

    `undocumented` is as in `Circumstances`: it makes the set `documented` of all other interventions.
    """
    columns = {**table.values, **history.columns}
    dates = {column.name for column in contract.columns if column.type == "date"} | history.dates
    if contract.about_persons:
        birth, exact = columns["birth"], columns["birth_exact"] == 1
        unborn = columns["id_typ"] == table.codes["id_typ"].codes.index("ofodd")
        known = birth != DATE_EMPTY
        born = np.where(known, birth, 0)
        first, last = (
            by_value(born, lambda days: _year_start(days, 0)),
            by_value(born, lambda days: _year_start(days, 1) - 1),
        )
        columns["birth_latest"] = np.where(known, np.where(exact, birth, last), DATE_EMPTY).astype(np.int32)
        columns["birth_earliest"] = np.where(known & ~unborn, np.where(exact, birth, first), DATE_EMPTY).astype(
            np.int32
        )
        dates |= {"birth", "birth_latest", "birth_earliest"}
    for key in contract.row_key:
        if key != "person" and contract.column(key).type == "text":
            columns[f"{key}_folded"] = _folded(table, key)
    codes = {name: found.codes for name, found in table.codes.items() if name in table.values}
    listed = frozenset(codes.get("insats", ())) if undocumented is not None else frozenset()
    sets = {**_catalogue_sets(), "documented": listed - (undocumented or frozenset())}
    return Sheet(columns, frozenset(dates), codes, sets, history.absent)


def _year_start(days: IntArray, later: int) -> IntArray:
    """The first day of each day's year, or of a later one."""
    years = days.astype("datetime64[D]").astype("datetime64[Y]") + later
    found: IntArray = years.astype("datetime64[D]").astype(np.int64)
    return found


def _folded(table: ConformedTable, name: str) -> IntArray:
    """Positions of a text column's distinct texts after folding: spellings that fold alike share one."""
    places: dict[str, int] = {}
    same = [places.setdefault(fold(text), len(places)) for text in table.texts[name].to_pylist()]
    position = table.values[name]
    return np.where(position >= 0, np.array([*same, 0], np.int32)[np.maximum(position, 0)], position)


def _numbers_out_of_place(table: RawTable, contract: Contract) -> list[Finding]:
    """Cells outside the person columns that read as a person's number. They are never quoted."""
    of_persons = {c.name for c in contract.columns if c.type == "person_number"}
    findings = []
    identifiers = {c.name for c in contract.columns if c.type == "identifier"}
    named: list[tuple[str | None, pa.ChunkedArray]] = [(n, c) for n, c in table.columns.items() if n not in of_persons]
    named += [(None, cells) for cells in table.extra.values()]
    for name, column in named:
        is_identifier = name in identifiers
        cells = distinct_cells(column)
        wrong = cells_with_numbers(cells, table.encoding, without_zero=not is_identifier, is_identifier=is_identifier)
        if wrong:
            hits = pc.is_in(column.cast(pa.binary()), value_set=pa.array(wrong, pa.binary())).to_numpy()
            header = "en kolumn utanför datasetet" if name is None else contract.column(name).label_sv
            findings += [
                file_finding("FIL-015", row=int(table.row_numbers[i]), column=name, header=header)
                for i in np.flatnonzero(hits)
            ]
    return findings
