"""Rechecking: when a quarter changes, run the rules again that look back at it, in files already in force.

These are files of the quarter after it, and the same quarter's episodes when its cases change: episodes name cases.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.checking import CheckReport, sheet_of, suite_parameters
from ingest.checks.suites import load_rules, run_rules
from ingest.conforming import ConformedTable
from ingest.contracts import Contract, load_contracts
from ingest.districts import load_districts
from ingest.explaining import carried_over, earlier_explanations, explained_by_rule, open_count
from ingest.feedback import as_text
from ingest.feedback_files import feedback_path
from ingest.history import Past, look_back
from ingest.ledger import Submission
from ingest.ledger.decisions import local_names
from ingest.ledger.explanations import explanations_of, replace_queries
from ingest.ledger.store import FINDINGS_PER_RULE
from ingest.naming import FileName
from ingest.quarters import Quarter
from ingest.queries import SCHEMA, queries_of, queries_path, read_queries, write_queries
from ingest.recording import IntakeContext
from ingest.sentinels import DATE_EMPTY, EMPTY
from ingest.storing import read_rows, write_whole

_LOOK_AT = {"arenden": ("arenden", "oppenvard"), "serviceinsatser": ("serviceinsatser",)}
"""Dataset → datasets with rules that look at it."""


@dataclass(frozen=True)
class Rechecked:
    """A submission whose queries changed. `text` is the message to the district, in Swedish."""

    submission: Submission
    text: str


def recheck_after(intake: IntakeContext, changed: Submission) -> list[Rechecked]:
    """Run the rules again that look at a changed submission; safe to repeat.

    Args:
        intake: the installation's.
        changed: one that came into force, or was withdrawn.

    Returns:
        The submissions whose queries changed.
    """
    if changed.dataset not in _LOOK_AT or changed.reporting_quarter is None:
        return []
    quarter = Quarter.parse(changed.reporting_quarter)
    heirs = [
        d.code
        for d in load_districts().districts
        if changed.district_code in (d.code, *load_districts().predecessors(d.code))
    ]
    wanted = [(code, dataset, quarter.next()) for code in heirs for dataset in _LOOK_AT[changed.dataset]]
    if changed.dataset == "arenden":
        wanted.append((changed.district_code, "oppenvard", quarter))
    found = []
    for code, dataset, when in wanted:
        for later in intake.ledger.in_force(district=code, dataset=dataset, quarter=str(when)):
            again = _recheck(intake, later)
            if again is not None:
                found.append(again)
    return found


def _recheck(intake: IntakeContext, found: Submission) -> Rechecked | None:
    """Run the rules over several files again for one submission in force, and store what they find now."""
    if found.dataset is None or found.reporting_quarter is None or found.parquet_path is None:
        return None
    home, files, ledger = intake.settings.home, intake.rows, intake.ledger
    quarter = Quarter.parse(found.reporting_quarter)
    contract = load_contracts(quarter)[found.dataset]
    table = _stored(read_rows(files, found), contract, intake, found.district_code)
    history = look_back(found.dataset, table, Past(ledger, files, found.district_code, quarter))
    rules = load_rules(contract)
    about = {rule.code for rule in rules if rule.needs is not None}
    skipped = {rule.code for rule in rules if rule.needs is None or rule.needs not in history.known}
    outcomes = run_rules(contract, sheet_of(table, contract, history), suite_parameters(quarter), frozenset(skipped))
    name = FileName(found.source_file_name, found.district_code, found.dataset, quarter, ())
    report = CheckReport(
        name, found.row_count, (), tuple(o for o in outcomes if not o.raised), (), table, None, history.absent_keys
    )
    path = queries_path(home, found.district_code, found.submission_id)
    before = read_queries(path)
    is_about = pc.is_in(before["rule"], value_set=pa.array(sorted(about), pa.string()))
    fresh = queries_of(report, contract, intake.keys)
    queries = pa.concat_tables([before.filter(pc.invert(is_about)), fresh])
    if _counted(before) == _counted(queries):
        return None
    write_queries(path, queries.cast(SCHEMA))
    own = explanations_of(ledger, found.submission_id)
    given = {(one.rule, one.row_key) for one in own}
    earlier = earlier_explanations(ledger, found.district_code, found.dataset, quarter)
    carried = [
        one for one in carried_over(queries, found.submission_id, earlier) if (one.rule, one.row_key) not in given
    ]
    replace_queries(
        ledger,
        found.submission_id,
        about,
        report.counts(),
        list(report.findings(FINDINGS_PER_RULE)),
        carried,
        open_count(queries, [*own, *carried]),
    )
    report = replace(report, explained=explained_by_rule(fresh, [*own, *carried]))
    head = f"{found.source_file_name}: frågor som ser på andra filer har prövats igen, eftersom en sådan har ändrats."
    lines = list(as_text(name.shown, report))[1:] or ["  Inga sådana frågor finns längre."]
    text = "\n".join([head, *lines]) + "\n"
    write_whole(feedback_path(intake.settings, found.district_code, found.submission_id, "omprovad.txt"), text.encode())
    return Rechecked(found, text)


def _counted(queries: pa.Table) -> Counter[tuple[str, str]]:
    return Counter(zip(queries["rule"].to_pylist(), queries["row_key"].to_pylist(), strict=True))


def _stored(rows: pa.Table, contract: Contract, intake: IntakeContext, district_code: str) -> ConformedTable:
    """Stored rows as a conformed table, with the columns that rules over several files look at."""
    names = local_names(intake.ledger)
    values: dict[str, np.ndarray] = {}
    codes, texts = {}, {}
    for column in contract.stored_columns:
        cells = _cells(rows, column.name)
        if column.type in ("code", "code_list"):
            codes[column.name] = contract.code_list(column.name, district_code, names)
            place = pa.array(codes[column.name].codes, pa.string())
            values[column.name] = _positions(cells, place)
        elif column.type == "date":
            values[column.name] = cells.cast(pa.int32()).fill_null(DATE_EMPTY).to_numpy(zero_copy_only=False)
        elif column.type == "integer":
            values[column.name] = cells.fill_null(EMPTY).to_numpy(zero_copy_only=False)
        else:
            texts[column.name] = pc.unique(cells.cast(pa.string())).drop_null()
            values[column.name] = _positions(cells, texts[column.name])
    match_keys = pa.array([], pa.string())
    if contract.about_persons:
        match_keys = pc.unique(rows["match_person_key"].combine_chunks().cast(pa.string())).drop_null()
        values["person"] = _positions(rows["match_person_key"].combine_chunks(), match_keys)
        birth = rows["birth_date"].combine_chunks().cast(pa.int32()).fill_null(DATE_EMPTY)
        values["birth"] = birth.to_numpy(zero_copy_only=False)
        values["birth_exact"] = rows["is_birth_date_exact"].to_numpy().astype(np.int8)
        codes["id_typ"] = contract.code_list("id_typ", district_code)
        values["id_typ"] = _positions(rows["id_typ"].combine_chunks(), pa.array(codes["id_typ"].codes, pa.string()))
    numbers = rows["source_row_number"].to_numpy()
    return ConformedTable(values, codes, texts, {}, numbers, frozenset(), match_keys=match_keys)


def _cells(rows: pa.Table, name: str) -> pa.Array:
    """A column's cells; empty where the rows were stored before the contract had the column."""
    return rows[name].combine_chunks() if name in rows.column_names else pa.nulls(rows.num_rows, pa.string())


def _positions(cells: pa.Array, known: pa.Array) -> np.ndarray:
    """Positions of texts among known ones; EMPTY where null or (in a list of codes) several."""
    found = pc.index_in(cells.cast(pa.string()), value_set=known).fill_null(EMPTY)
    positions: np.ndarray = found.to_numpy(zero_copy_only=False)
    return positions
