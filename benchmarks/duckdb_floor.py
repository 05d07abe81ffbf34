"""The floor that intake is measured against: one `arenden` file read, typed, checked and stored by DuckDB alone.

Written to be as fast as DuckDB allows: the file is scanned twice and never stored as text (once for each column's
distinct cells, once to type it), cells become enums and then small integers, all row rules are tried in one pass.
Python does only what SQL can't do: strict decoding, SHA-256, the encrypted original, and the persons' keys, made
once per distinct person by intake's own function.

It does less than `receive`: it takes the file for regular (no quotes, blank lines or totals rows), looks for no
person's number in other columns, has no ledger, writes no feedback, and reads nothing back.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from floor_rules import AMBIGUOUS, BAD, DATE_BAD, DATE_EMPTY, EMPTY, RuleSql, as_date, quoted

from ingest.contracts import Column, Contract
from ingest.folding import fold
from ingest.originals import Sent, encrypt_original
from ingest.persons.keys import Keys
from ingest.persons.numbers import key_maker
from ingest.quarters import Quarter
from ingest.storing import Provenance, stored_schema

THREADS = 2
_FOLDED = (
    "trim(regexp_replace(translate(lower(trim(nfc_normalize({0}))), 'åäöé', 'aaoe'), "
    r"'[\s\-/.\x{{2010}}-\x{{2015}}]+', '_', 'g'), '_')"
)
_TEXTS = ("identifier", "person_number")


@dataclass(frozen=True)
class FloorResult:
    """What the floor found: positions of failing rows per rule code, ascending; and whether the rows were stored."""

    rows: int
    failing: dict[str, npt.NDArray[np.int64]]
    stored: bool


class Floor:
    """One file's way through DuckDB."""

    def __init__(
        self, contract: Contract, suite: Mapping[str, Any], district: str, quarter: Quarter, keys: Keys
    ) -> None:
        """Store what decides how the file is read."""
        self.contract, self.district, self.quarter, self.keys = contract, district, quarter, keys
        self.entries = [entry for entry in suite["expectations"] if not entry["meta"].get("needs")]
        codes = [c for c in contract.columns if c.type in ("code", "code_list")]
        self.codes = {c.name: contract.code_list(c.name, district) for c in codes}
        self.set_texts: dict[str, list[str]] = {}

    def run(self, path: Path, parquet: Path, original: Path, submission_id: str) -> FloorResult:
        """Take one file in: encrypted copy, typed rows, findings, and Parquet when no error was found."""
        raw = path.read_bytes()
        checksum = hashlib.sha256(raw).hexdigest()
        memory = Path("/dev/shm")
        with (
            ThreadPoolExecutor(max_workers=1) as beside,
            tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
            duckdb.connect(config={"threads": THREADS}) as con,
        ):
            con.execute("set enable_progress_bar = false")
            sent = Sent(path.name, datetime.combine(self.quarter.deadline, time()), True, 1)
            sealed = beside.submit(encrypt_original, original, raw, submission_id, self.keys, sent)
            plain = Path(folder) / "utf8.csv"
            plain.write_bytes(raw.decode("cp1252").encode())
            header = raw[: raw.index(b"\n")].decode("cp1252")
            del raw
            self._typed(con, plain, header)
            plain.unlink()
            self._persons(con)
            failing = self._findings(con)
            rows = con.execute("select count(*) from sheet").fetchall()[0][0]
            severities = {entry["meta"]["code"]: entry["meta"]["severity"] for entry in self.entries}
            stored = not any(severities[code] == "error" for code in failing)
            if stored:
                moment = datetime.combine(self.quarter.deadline, time())
                self._store(con, parquet, Provenance(submission_id, self.district, str(self.quarter), checksum, moment))
            sealed.result()
            return FloorResult(rows, failing, stored)

    # reading

    def _typed(self, con: duckdb.DuckDBPyConnection, plain: Path, header: str) -> None:
        """Table `cells`: numbers for codes, dates and counts; trimmed text for identifiers and persons' numbers."""
        known = self.contract.header_lookup()
        present = [known[fold(cell)] for cell in header.split(";")]
        spec = ", ".join(f"'{name}': 'VARCHAR'" for name in present)
        scan = (
            f"read_csv('{plain}', delim=';', header=false, skip=1, columns={{{spec}}}, quote='', escape='', "
            "auto_detect=false)"
        )
        small = [c for c in self.contract.columns if c.name in present and c.type not in _TEXTS]
        distinct = con.execute(f"select {', '.join(f'list(distinct {c.name})' for c in small)} from {scan}").fetchone()
        assert distinct is not None
        chosen = []
        for column, found in zip(small, distinct, strict=True):
            spellings = sorted(cell for cell in found or [] if cell is not None)
            empty = DATE_EMPTY if column.type == "date" else EMPTY
            if not spellings:
                chosen.append(f"{empty}::{_kind(column)} as {column.name}")
                continue
            con.execute(f"create type spelt_{column.name} as enum (select unnest(?::varchar[]))", [spellings])
            read = con.execute(self._read_sql(column), [spellings]).fetchall()
            numbers = [row[0] for row in read]
            if column.type == "code_list":
                self.set_texts[column.name] = [text for _, text in sorted({r for r in read if r[0] >= 0})]
            chosen.append(
                f"coalesce(list_extract({numbers}::{_kind(column)}[], "
                f"enum_code({column.name}::spelt_{column.name}) + 1), {empty}) as {column.name}"
            )
        for column in self.contract.columns:
            if column.name not in present:
                empty = DATE_EMPTY if column.type == "date" else EMPTY
                value = "null::varchar" if column.type in _TEXTS else f"{empty}::{_kind(column)}"
                chosen.append(f"{value} as {column.name}")
            elif column.type in _TEXTS:
                chosen.append(f"nullif(trim({column.name}), '') as {column.name}")
        con.execute(f"create temp table cells as select {', '.join(chosen)} from {scan}")
        con.execute("set preserve_insertion_order = false")  # from here on each row carries its place

    def _read_sql(self, column: Column) -> str:
        """A query from a list of spellings ($1) to their numbers, in order."""
        spelt = "from (select unnest($1::varchar[]) as raw, generate_subscripts($1::varchar[], 1) as place)"
        if column.type == "date":
            first = r"regexp_extract(cell, '^(\d{4})(-?)(\d{2})(-?)(\d{2})$', ['y', 's', 'm', 't', 'd'])"
            last = r"regexp_extract(cell, '^(\d{1,2})([./])(\d{1,2})([./])(\d{4})$', ['d', 's', 'm', 't', 'y'])"
            return f"""
                select case when cell = '' then {DATE_EMPTY} else coalesce(
                    case when p.y <> '' and p.s = p.t then
                        try_cast(p.y || '-' || p.m || '-' || p.d as date) - date '1970-01-01' end, {DATE_BAD}) end
                from (select place, cell, case when {first}.y <> '' then {first}
                    else {last} end as p from (select place, trim(raw) as cell {spelt}))
                order by place"""
        if column.type == "integer":
            whole = r"regexp_extract(trim(raw), '^(\d{1,9})([.,]0{1,2})?$', 1)"
            return f"""
                select case when trim(raw) = '' then {EMPTY} when {whole} = '' then {BAD} else {whole}::int end
                {spelt} order by place"""
        codes = self.codes[column.name]
        lookup = ", ".join(f"({quoted(word)}, {place})" for word, place in codes.lookup.items())
        for word in codes.ambiguous:
            lookup += f", ({quoted(word)}, {AMBIGUOUS})"
        known = f"(values {lookup}) as known (word, number)"
        folded = _FOLDED.format("raw")
        if column.type == "code":
            return f"""
                select case when trim(raw) = '' then {EMPTY} else coalesce(number, {BAD}) end
                from (select *, {folded} as word {spelt}) left join {known} using (word) order by place"""
        names = f"[{', '.join(map(quoted, codes.codes))}]"
        parts = f"""
            select place, min(coalesce(number, {BAD})) as lowest, max((number is null)::int) as is_bad,
                list_sort(list(distinct case when number >= 0 then {names}[number + 1] end)) as members
            from (select place, {folded} as word from (
                select place, unnest(string_split(raw, '|')) as raw {spelt}) where trim(raw) <> '')
            left join {known} using (word) group by place"""
        return f"""
            select case when members is null then {EMPTY} when is_bad = 1 then {BAD} when lowest < 0 then {AMBIGUOUS}
                else (dense_rank() over (order by lowest < 0, array_to_string(members, '|')) - 1)::int end,
                array_to_string(members, '|')
            from (select unnest(generate_series(1, len($1::varchar[]))) as place) left join ({parts}) using (place)
            order by place"""

    # persons

    def _persons(self, con: duckdb.DuckDBPyConnection) -> None:
        """Table `sheet`: the cells with what the persons' numbers say; and the persons' keys."""
        year, century = self.quarter.end.year % 100, self.quarter.end.year // 100
        digit = [f"(n12 // {10 ** (9 - place)} % 10)" for place in range(10)]
        doubled = [f"2 * {d} - 9 * ({d} > 4)::int" if place % 2 == 0 else d for place, d in enumerate(digit)]
        kinds = self.codes["id_typ"].codes
        by_number = (
            f"case when coordination then {kinds.index('samordningsnummer')} else {kinds.index('personnummer')} end"
        )
        con.execute(f"""
            create temp table sheet as
            with formed as (
                select rowid as place, *, replace(replace(personnummer, '-', ''), '+', '') as digits,
                    regexp_full_match(personnummer, '([0-9]{{2}})?[0-9]{{6}}[-+]?[0-9]{{4}}') as is_formed,
                    nullif(regexp_extract(arende_id, '^[A-Za-z0-9/_-]{{1,40}}$'), '') as case_text,
                    nullif(regexp_extract(lopnummer, '^[A-Za-z0-9/_-]{{1,40}}$'), '') as running_text
                from cells
            ), whole as (
                select *, case when not is_formed then null when len(digits) = 12 then digits::bigint
                    else digits::bigint + 10000000000 * ({century} - (digits[:2]::int > {year})::int
                        - contains(personnummer, '+')::int) end as n12
                from formed
            ), parts as (
                select *, n12 // 100000000 as y, n12 // 1000000 % 100 as m, n12 // 10000 % 100 >= 60 as is_sixty,
                    n12 // 10000 % 100 - 60 * (n12 // 10000 % 100 >= 60)::int as d,
                    ({" + ".join(doubled)}) % 10 = 0 as is_checked
                from whole
            ), judged as (
                select *, case when personnummer is null then {EMPTY} when is_checked and y >= 1850
                    and m <= 12 and (is_sixty or (m >= 1 and d >= 1))
                    and d <= day(last_day(make_date(greatest(y, 1), greatest(least(m, 12), 1), 1)))
                    then 0 else {BAD} end as status
                from parts
            ), numbered as (
                select * exclude (id_typ, arende_id, lopnummer, personnummer), status as personnummer,
                    case when arende_id is null then {EMPTY} when case_text is null then {BAD} else 0 end as arende_id,
                    case when lopnummer is null then {EMPTY} when running_text is null then {BAD} else 0 end
                        as lopnummer,
                    case when status = 0 then make_date(y, case when m = 0 then 7 else m end,
                        case when m = 0 then 1 when d = 0 then 15 else d end) - date '1970-01-01' end as day,
                    status = 0 and m >= 1 and d >= 1 as birth_exact,
                    is_sixty and status = 0 as coordination,
                    case when status = 0 then n12 // 10 % 2 else {EMPTY} end::tinyint as sex_by_number,
                    case when status = 0 then is_sixty::tinyint else {EMPTY} end::tinyint as kind_by_number,
                    case when status = 0 then y else {EMPTY} end::int as year_by_number,
                    case when status = 0 then y else fodelsear end as birth_year,
                    case when id_typ = {EMPTY} and status <> {EMPTY} then {by_number} else id_typ end::tinyint
                        as id_typ
                from judged
            )
            select * exclude (digits, is_formed, y, m, d, is_sixty, is_checked, status, day, coordination),
                case when day is not null then day
                    when fodelsear between 1850 and 2200 then make_date(fodelsear, 7, 1) - date '1970-01-01'
                    else {DATE_EMPTY} end::int as birth,
                case when status = 0 then n12 when running_text is not null then -1 - running_id end as person,
                case when birth = {DATE_EMPTY} or birth_exact then birth
                    else make_date(birth_year, 12, 31) - date '1970-01-01' end::int as birth_latest,
                case when id_typ = {kinds.index("ofodd")} then {DATE_EMPTY} when birth = {DATE_EMPTY} or birth_exact
                    then birth else make_date(birth_year, 1, 1) - date '1970-01-01' end::int as birth_earliest
            from numbered left join (
                select running_text, row_number() over () as running_id
                from (select distinct lopnummer as running_text from cells)) using (running_text)""")
        con.execute("drop table cells")
        make = key_maker(self.keys)
        numbers = con.execute("select distinct n12 from sheet where personnummer = 0").fetchnumpy()["n12"]
        keys = make([b"%d" % number for number in numbers.tolist()])
        con.register("person_keys", pa.table({"person": numbers, "own": keys, "match": keys}))
        local = con.execute("select distinct person, running_text from sheet where person < 0").fetchall()
        con.register("local_keys", pa.table({
            "person": pa.array([person for person, _ in local], pa.int64()),
            "own": make([f"local\0{self.district}\0{text}".encode() for _, text in local]),
            "match": make([f"running\0{text}".encode() for _, text in local]),
        }))  # fmt: skip

    # rules

    def _findings(self, con: duckdb.DuckDBPyConnection) -> dict[str, npt.NDArray[np.int64]]:
        """Every rule tried; positions of failing rows per rule code."""
        dates = {c.name for c in self.contract.columns if c.type == "date"}
        dates |= {"birth", "birth_latest", "birth_earliest"}
        sql = RuleSql(dates, {name: found.codes for name, found in self.codes.items()}, self.quarter)
        tried = [
            f"select place, {number}::smallint as rule from ({sql.query(entry['type'], entry['kwargs'])})"
            for number, entry in enumerate(self.entries)
        ]
        con.execute(f"create temp table found as {' union all '.join(tried)}")
        found = con.execute("select place, rule from found order by rule, place").fetchnumpy()
        failing = {}
        for number, entry in enumerate(self.entries):
            low, high = np.searchsorted(found["rule"], [number, number + 1])
            if high > low:
                failing[entry["meta"]["code"]] = np.asarray(found["place"][low:high], np.int64)
        return failing

    # storing

    def _store(self, con: duckdb.DuckDBPyConnection, target: Path, provenance: Provenance) -> None:
        """The typed Parquet, of the schema in which intake stores rows."""
        chosen = {
            "submission_id": quoted(provenance.submission_id),
            "district_code": quoted(provenance.district_code),
            "reporting_quarter": quoted(provenance.reporting_quarter),
            "source_file_sha256": quoted(provenance.source_file_sha256),
            "submitted_at": f"timestamp {quoted(provenance.submitted_at.isoformat(sep=' '))}",
            "source_row_number": "(place + 2)::int",
            "person_key": "own",
            "match_person_key": "match",
            "is_linkable": "personnummer = 0",
            "birth_date": as_date("birth"),
            "is_birth_date_exact": "birth_exact",
            "id_typ": self._text("id_typ"),
        }
        for column in self.contract.stored_columns:
            chosen[column.name] = {
                "date": as_date(column.name),
                "integer": f"case when {column.name} >= 0 then {column.name} end",
                "identifier": "case_text" if column.name == "arende_id" else column.name,
            }.get(column.type) or self._text(column.name)
        names = stored_schema(self.contract).names
        con.execute(f"""
            copy (select {", ".join(f"{chosen[name]} as {name}" for name in names)}
                from sheet left join (from person_keys union all from local_keys) using (person))
            to '{target}' (format parquet, compression zstd, compression_level 1)""")

    def _text(self, name: str) -> str:
        texts = self.set_texts.get(name) or list(self.codes[name].codes)
        return f"[{', '.join(map(quoted, texts))}][{name} + 1]"


def _kind(column: Column) -> str:
    return {"code": "tinyint"}.get(column.type, "int")
