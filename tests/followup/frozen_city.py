"""Quarters of made-up rows about persons, and a dbt project of a mart and a fact that take frozen rows.

No file is checked: rows are stored and recorded as intake does, so a year takes no time. Persons are named by numbers.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from city import marts
from small_project import write_project

from ingest.contracts import load_contracts
from ingest.ledger import Ledger, Submission
from ingest.ledger.decisions import lock_quarter
from ingest.ledger.freezes import newest_frozen
from ingest.persons.keys import load_keys, make_keys
from ingest.persons.wrapping import BLOCK, wrapped
from ingest.quarters import Quarter
from ingest.queries import SCHEMA, queries_path, row_keys, write_queries
from ingest.row_files import row_files, row_name
from ingest.settings import ROOT, Settings
from ingest.storing import store_rows, stored_schema

UNIT = "farsta"
CLOCK = "2020-02-01T08:00:00"
NOW = datetime(2020, 2, 1, 8)
FIRST, LAST, KEPT = Quarter(2017, 1), Quarter(2019, 4), 8
"""Rows of 2017 are due: eight quarters have ended since, and each year's quarters to 2018Q3 are frozen with them."""
CASES: Mapping[str, Sequence[int]] = {
    **{str(FIRST.back(-n)): (n, n + 1) for n in range(12)},
    "2017Q1": (0, 1, 90, 91),  # 90 has a row of 2019 too: all its rows stay
    "2019Q3": (10, 11, 90),
}
"""Persons of each quarter's file."""
_MART = """
models:
  - name: mart_persons
    description: How many persons a unit reported, in quarters and in years.
    config: {meta: {frozen: true}}
    columns:
      - {name: district_code, data_type: varchar}
      - {name: reporting_quarter, data_type: varchar}
      - {name: period_kind, data_type: varchar}
      - {name: persons, data_type: integer}
"""
_FACT = """
models:
  - name: fct_rows
    description: How many rows a quarter's file has.
    config: {meta: {frozen: true}}
    columns:
      - {name: reporting_quarter, data_type: varchar}
      - {name: row_count, data_type: integer}
"""
MODELS = {
    "models/core/fct_case.sql": (
        "select * from read_parquet([{% for file in build_input(\"select file from \" ~ input_file('files') ~ "
        "\" where dataset = 'arenden'\") %}'{{ file }}'{{ ',' if not loop.last }}{% endfor %}], union_by_name = true)"
    ),
    "models/core/fct_rows.sql": (
        "select reporting_quarter, cast(count(*) as int) as row_count from {{ ref('fct_case') }} "
        "group by reporting_quarter"
    ),
    "models/core/fct_rows.yml": _FACT,
    "models/marts/mart_persons.sql": """
        with quarters as (
            select distinct
                reporting_quarter as quarter,
                cast(left(reporting_quarter, 4) as int) * 4 + cast(right(reporting_quarter, 1) as int) as number
            from {{ ref('fct_case') }}
        )
        select
            district_code, reporting_quarter, 'kvartal' as period_kind,
            cast(count(distinct person_key) as int) as persons,
            cast(sum(source_row_number) as {{ key_type() }}) as persons__key
        from {{ ref('fct_case') }} group by all
        union all
        select cases.district_code, years.quarter, 'rullande_ar', cast(count(distinct cases.person_key) as int),
            cast(0 as {{ key_type() }})
        from quarters as years
        inner join quarters as members on members.number between years.number - 3 and years.number
        inner join {{ ref('fct_case') }} as cases on cases.reporting_quarter = members.quarter
        group by all
    """,
    "models/marts/mart_persons.yml": _MART,
}


FREEZES = """
import sys
from pathlib import Path
from followup.build import building, snapshot
building.PROJECT = snapshot.PROJECT = Path(sys.argv[2])
sys.path.append("tests/followup")
from frozen_city import NOW, settings_of
from ingest.recording import open_intake
from followup.build.freezing import freeze_and_erase
with open_intake(settings_of(Path(sys.argv[1]))) as intake:
    freeze_and_erase(intake, NOW)
"""
"""Freezes and erases what is due in an installation, by a project; both are named as arguments."""


def write_frozen_project(folder: Path, **models: str) -> Path:
    """Write the dbt project; `models` are files instead of its own, named without dots (`mart_persons_sql`)."""
    write_project(folder)
    for name in ("materializations", "engines", "engine_spark", "inputs", "frozen", "ref"):
        shutil.copy(ROOT / "dbt_project" / "macros" / f"{name}.sql", folder / "macros" / f"{name}.sql")
    for name, text in MODELS.items():
        (folder / name).write_text(models.get(Path(name).name.replace(".", "_"), text), encoding="utf-8")
    return folder


def settings_of(root: Path) -> Settings:
    """The installation's settings."""
    return Settings.model_validate(
        {"home": root / "home", "keys": root / "keys.json", "FOLLOWUP_NOW": CLOCK, "rows_kept_quarters": KEPT}
    )


def fill(root: Path, *, lock_to: Quarter = Quarter(2018, 3), **changes: object) -> Settings:  # noqa: B008  (frozen)
    """An installation with a file of each quarter in force, and quarters locked; with other settings, and the keys that
    are there."""
    settings = settings_of(root).model_copy(update=changes)
    if not settings.keys.exists():
        make_keys(settings.keys)
    with closing(Ledger(settings.ledger)) as ledger:
        quarter = FIRST
        while quarter <= LAST:
            submit(settings, ledger, quarter, CASES[str(quarter)])
            if quarter <= lock_to:
                lock_quarter(ledger, quarter, NOW)
            quarter = quarter.next()
    return settings


def submit(
    settings: Settings, ledger: Ledger, quarter: Quarter, persons: Sequence[int], version: int = 1
) -> Submission:
    """Store rows of cases as intake does, each person one, with a query about each; returns the submission."""
    keys, contract = load_keys(settings.keys), load_contracts()["arenden"]
    values = np.array([list(number.to_bytes(BLOCK, "big")) for number in persons], np.uint8)
    texts = wrapped(keys.person_keys[keys.person_version], values).to_pylist()
    submission_id = f"{str(quarter).lower()}v{version}".ljust(26, "0")
    submitted_at = datetime(quarter.end.year, quarter.end.month, quarter.end.day) + timedelta(days=10)
    rows = [
        {
            "submission_id": submission_id, "district_code": UNIT, "reporting_quarter": str(quarter),
            "source_file_sha256": "0" * 64, "submitted_at": submitted_at, "source_row_number": place,
            "person_key": text, "match_person_key": text, "is_linkable": True, "arende_id": f"a{quarter}-{place}",
        }
        for place, text in enumerate(texts, start=2)
    ]  # fmt: skip
    name = row_name("arenden", str(quarter), UNIT, f"{submission_id}.parquet")
    checksum = store_rows(row_files(settings), name, pa.Table.from_pylist(rows, stored_schema(contract)))
    row_key = row_keys(contract, keys, [(f"a{quarter}-{place}", text) for place, text in enumerate(texts, start=2)])
    queries = pa.table([["ARE-021"] * len(rows), list(range(2, len(rows) + 2)), row_key], schema=SCHEMA)
    write_queries(queries_path(settings.home, UNIT, submission_id), queries)
    (settings.feedback / UNIT).mkdir(parents=True, exist_ok=True)
    (settings.feedback / UNIT / f"{submission_id}.txt").write_text("Filen är mottagen.\n")
    return ledger.record(
        Submission(
            submission_id=submission_id, district_code=UNIT, dataset="arenden", reporting_quarter=str(quarter),
            sequence=version, version=None, state="accepted", source_file_name=f"{UNIT}_arenden_{quarter}.csv",
            source_file_sha256=f"{version}" * 64, size_bytes=1, submitted_at=submitted_at,
            deadline_date=quarter.deadline, is_on_time=True, is_synthetic=True, row_count=len(rows), error_count=0,
            query_count=len(rows), contract_version=1, person_key_version=keys.person_version, original_path="",
            parquet_path=name, parquet_sha256=checksum, is_source_cleared=True,
            open_query_count=len(rows),
        ),
        [], [],
    )  # fmt: skip


def figures(settings: Settings) -> dict[str, object]:
    """All rows of the marts and their private columns, and of what else takes frozen rows."""
    found: dict[str, object] = {
        f"{schema}.{name}": rows
        for schema in ("marts", "keyed")
        for name, rows in marts(settings.warehouse, schema).items()
    }
    return found | {"fct_rows": marts(settings.warehouse, "core")["fct_rows"]}


def persons_in_files(settings: Settings) -> dict[str, int]:
    """Rows in the files under validated/, by quarter, whether they count or not."""
    return {
        quarter.name: sum(pq.read_metadata(path).num_rows for path in quarter.rglob("*.parquet"))
        for quarter in sorted((settings.validated / "arenden").iterdir())
    }


def state(settings: Settings) -> dict[str, object]:
    """What counts: the ledger's submissions, what is frozen, and every file under home but the ledger's and dbt's."""
    with closing(Ledger(settings.ledger)) as ledger:
        submissions, frozen = ledger.submissions(), newest_frozen(ledger)
        fingerprint = ledger.last_build()
    files = [path for path in settings.home.rglob("*") if path.is_file() and "build" not in path.parts]
    return {
        "submissions": submissions,
        "frozen": (frozen.through_quarter, frozen.erased_quarter, [file.path for file in frozen.files])
        if frozen
        else None,
        "files": sorted(str(path.relative_to(settings.home)) for path in files if "sqlite" not in path.name),
        "is_built": fingerprint is not None,
    }
