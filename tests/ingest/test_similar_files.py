"""The wrong quarter's or unit's file under a right name is asked about; what is naturally alike is not."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files import DISTRICT, KEYS, QUARTER, Installation, base_row, check, csv_bytes, fired

from ingest.checking import CheckReport, check_file
from ingest.conforming import conform
from ingest.contracts import load_contracts
from ingest.explaining import explain
from ingest.ledger import Submission
from ingest.ledger.tables import submission
from ingest.naming import read_name
from ingest.persons.keys import load_keys, throwaway_keys
from ingest.quarters import Quarter
from ingest.reading.tables import read_table
from ingest.receiving import receive_district
from ingest.recording import circumstances_of
from ingest.similar_files import rows_in_common
from ingest.sketching import FOOTER, MOST_HASHES, Sketch, SketchColumn, read_sketch, sketch_of, with_sketch
from ingest.storing import Provenance, rows_to_store, sketch_of_table

LATER = "2020-01-10T08:00:00"
Row = dict[str, str]


def cases(quarter: str, serials: range) -> list[Row]:
    """Rows of `arenden` that came in during a quarter and were not opened."""
    year, month = quarter[:4], {"1": "01", "2": "04", "3": "07", "4": "10"}[quarter[-1]]
    closed = dict.fromkeys(
        ("utredning_start", "utredning_slut", "barnet_horts", "skola_kontaktad", "insats_erbjuden", "insats",
         "antal_insatser_erbjudna", "insats_accepterad"), "",
    )  # fmt: skip
    not_opened = {"utredning_inledd": "nej", "ej_inledd_skal": "utredning behövs inte", **closed}
    return [
        base_row(
            "arenden", arende_id=f"{quarter}-{n}", inkom_datum=f"{year}-{month}-{1 + n % 20:02}",
            forhandsbedomning_klar=f"{year}-{month}-{2 + n % 20:02}", **not_opened,
        )
        for n in serials
    ]  # fmt: skip


def clinics(factor: int, *names: str) -> list[Row]:
    """Rows of `ungdomsmottagning`."""
    waits = dict.fromkeys(("vantade_0_7", "vantade_8_14", "vantade_15_30", "vantade_31_90", "vantade_over_90"), "0")
    return [
        base_row(
            "ungdomsmottagning", mottagning=name, aldersgrupp=band, besok=str(factor * (91 + place)),
            nya_besokare=str(factor), digitala_besok=str(factor * 7 + place),
            **{**waits, "vantade_0_7": str(factor)}, vantetid_summa_dagar=str(factor),
        )
        for name in names
        for place, band in enumerate(("12-14", "15-17", "18-20"))
    ]  # fmt: skip


@pytest.fixture
def later(installation: Installation) -> Installation:
    installation.now = LATER
    return installation


def received(place: Installation, dataset: str, quarter: str, rows: list[Row], district: str = DISTRICT) -> Submission:
    place.drop(f"{district}_{dataset}_{quarter}.csv", csv_bytes(dataset, rows), district)
    (receipt,) = receive_district(place.settings, district).files
    ledger = place.ledger()
    assert receipt.state == "accepted", ledger.findings(receipt.submission_id or "")
    (found,) = ledger.in_force(district=district, dataset=dataset, quarter=quarter)
    ledger.close()
    return found


def checked(place: Installation, dataset: str, quarter: str, rows: list[Row], district: str = DISTRICT) -> CheckReport:
    name, settings, ledger = read_name(f"{district}_{dataset}_{quarter}.csv"), place.settings, place.ledger()
    report = check_file(
        csv_bytes(dataset, rows), name, circumstances_of(settings, load_keys(settings.keys), ledger, name, district)
    )
    ledger.close()
    return report


def messages_of(report: CheckReport, rule: str = "FIL-086") -> list[str]:
    return [found.message for found in report.file_findings if found.rule == rule]


def test_file_of_the_quarter_before_is_asked_about(later: Installation) -> None:
    received(later, "arenden", "2018Q2", cases("2018Q2", range(8)))
    report = checked(later, "arenden", "2018Q3", cases("2018Q2", range(8)))
    assert report.accepted
    (message,) = messages_of(report)
    assert message.startswith(
        "Alla rader är samma som i filen arenden för Bromma 2018Q2, som redan är inlämnad och gäller."
    )
    assert messages_of(report, "FIL-087") == []  # that all dates are in that quarter has the same cause


def test_file_nearly_like_another_is_asked_about_and_one_that_carries_rows_on_is_not(later: Installation) -> None:
    received(later, "arenden", "2018Q2", cases("2018Q2", range(20)))
    nearly = cases("2018Q2", range(18)) + cases("2018Q3", range(2))
    (message,) = messages_of(checked(later, "arenden", "2018Q3", nearly))
    assert message.startswith(
        "81 % av raderna är samma som i filen arenden för Bromma 2018Q2"
    )  # 18 of 22 different rows
    carried_on = cases("2018Q2", range(9)) + cases("2018Q3", range(11))
    assert messages_of(checked(later, "arenden", "2018Q3", carried_on)) == []


def test_file_of_another_unit_is_asked_about_whatever_its_quarter(later: Installation) -> None:
    received(later, "ungdomsmottagning", "2018Q1", clinics(11, "Farsta UM", "Sköndals UM"), "farsta")
    received(later, "ungdomsmottagning", "2018Q1", clinics(5, "Alviks UM"))
    (message,) = messages_of(checked(later, "ungdomsmottagning", QUARTER, clinics(11, "Farsta UM", "Sköndals UM")))
    assert message.startswith("Alla rader är samma som i filen ungdomsmottagning för Farsta 2018Q1")
    assert messages_of(checked(later, "ungdomsmottagning", QUARTER, clinics(6, "Alviks UM"))) == []


def test_more_than_one_file_alike_is_said_and_the_likest_is_named(later: Installation) -> None:
    rows = clinics(11, "Farsta UM", "Sköndals UM")
    received(later, "ungdomsmottagning", "2018Q1", rows, "farsta")
    received(later, "ungdomsmottagning", "2018Q2", rows[:5], "farsta")
    (message,) = messages_of(checked(later, "ungdomsmottagning", QUARTER, rows))
    assert message.startswith("Alla rader är samma som i filen ungdomsmottagning för Farsta 2018Q1, som redan är")
    assert "Även 1 annan fil är lika." in message


def test_file_of_the_same_quarter_is_named_before_equal_ones_of_others(later: Installation) -> None:
    rows = clinics(11, "Farsta UM", "Sköndals UM")
    for quarter in ("2018Q1", "2018Q2", "2018Q3"):
        received(later, "ungdomsmottagning", quarter, rows, "farsta")
    (message,) = messages_of(checked(later, "ungdomsmottagning", "2018Q2", rows))
    assert "för Farsta 2018Q2" in message and "Även 2 andra filer är lika." in message


def test_correction_of_a_file_is_not_compared_with_what_it_corrects(later: Installation) -> None:
    received(later, "ungdomsmottagning", QUARTER, clinics(5, "Alviks UM"))
    assert messages_of(checked(later, "ungdomsmottagning", QUARTER, clinics(5, "Alviks UM"))) == []


@pytest.mark.parametrize("dataset", sorted(load_contracts()))
def test_files_without_rows_are_never_alike(later: Installation, dataset: str) -> None:
    received(later, dataset, "2018Q2", [])
    assert messages_of(checked(later, dataset, QUARTER, [])) == []


def test_counts_of_almost_nobody_are_alike_by_chance(later: Installation) -> None:
    nobody = dict.fromkeys(("antal_hem_utan_placering", "antal_uppfoljda_samma_dygn"), "0")
    one = [base_row("skyddsuppfoljning", antal_barnforhor="1", antal_uppfoljda_inom_tre_dygn="0", **nobody)]
    received(later, "skyddsuppfoljning", "2018Q2", one)
    assert messages_of(checked(later, "skyddsuppfoljning", QUARTER, one)) == []


ROUTINES = [
    {"enhet": unit, "riktad_till": group, "rutin": "finns", "senast_reviderad": f"2018-0{1 + place}-1{turn}"}
    for place, unit in enumerate(("barn och unga", "socialpsykiatri"))
    for turn, group in enumerate(("alla", "missbruk", "våld"))
]


@pytest.mark.parametrize(("unit", "is_asked"), [(DISTRICT, False), ("farsta", True)])
def test_routines_stay_the_same_in_a_unit_and_not_from_unit_to_unit(
    later: Installation, unit: str, is_asked: bool
) -> None:
    received(later, "rutiner", "2018Q2", ROUTINES, unit)
    assert bool(messages_of(checked(later, "rutiner", QUARTER, ROUTINES))) is is_asked


def test_routines_that_all_units_lack_say_nothing(later: Installation) -> None:
    lacking = [{**row, "rutin": "saknas", "senast_reviderad": ""} for row in ROUTINES]
    received(later, "rutiner", "2018Q2", lacking, "farsta")
    assert messages_of(checked(later, "rutiner", QUARTER, lacking)) == []


def test_open_rows_of_a_successor_are_judged_as_its_predecessors(later: Installation) -> None:
    ongoing = dict.fromkeys(
        ("slut_datum", "avslutsorsak", "maluppfyllelse", "uppfoljd", "uppfoljd_datum", "uppfoljningsmetod", "omrade"),
        "",
    )
    rows = [base_row("oppenvard", insats_id=f"I-{n}", **ongoing) for n in range(8)]
    later.now = "2021-01-10T08:00:00"
    received(later, "oppenvard", "2020Q2", rows, "alvsjo")
    assert messages_of(checked(later, "oppenvard", "2020Q3", rows, "hagersten-alvsjo")) == []
    assert len(messages_of(checked(later, "oppenvard", "2020Q3", rows, "farsta"))) == 1


def test_stored_file_without_a_sketch_is_compared_by_its_rows(later: Installation) -> None:
    found = received(later, "arenden", "2018Q2", cases("2018Q2", range(8)))
    path = later.settings.home / (found.parquet_path or "")
    remaining, contract = read_sketch(path, load_contracts()["arenden"]), load_contracts()["arenden"]
    assert FOOTER in pq.read_schema(path).metadata
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    ledger = later.ledger()
    with ledger.engine.begin() as connection:  # as an earlier version of the program has stored it
        connection.execute(submission.update().values(parquet_sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    ledger.close()
    by_rows = read_sketch(path, contract)
    assert (by_rows.rows, by_rows.digest) == (remaining.rows, remaining.digest)
    assert np.array_equal(by_rows.hashes, remaining.hashes) and np.array_equal(by_rows.bits, remaining.bits)
    assert len(messages_of(checked(later, "arenden", QUARTER, cases("2018Q2", range(8))))) == 1


def test_stored_file_that_cant_be_read_is_passed_over_with_a_warning(
    later: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    found = received(later, "ungdomsmottagning", "2018Q2", clinics(11, "Farsta UM"), "farsta")
    path: Path = later.settings.home / (found.parquet_path or "")
    path.write_bytes(path.read_bytes()[:200])
    with caplog.at_level(logging.WARNING):
        report = checked(later, "ungdomsmottagning", QUARTER, clinics(11, "Farsta UM"))
    assert report.accepted and fired(report) == set()
    assert found.submission_id in caplog.text


def test_explanation_answers_for_the_file_that_was_named_only(later: Installation) -> None:
    rows = clinics(11, "Farsta UM", "Sköndals UM")
    received(later, "ungdomsmottagning", "2018Q1", rows, "farsta")
    second = received(later, "ungdomsmottagning", "2018Q2", rows)
    ledger = later.ledger()
    explain(ledger, later.settings.home, second, "FIL-086", "Samma personal, samma siffror.", later.settings.now())
    ledger.close()
    third = received(later, "ungdomsmottagning", QUARTER, rows)
    assert third.open_query_count == third.query_count == 1  # equals 2018Q2 of its own, which nobody has explained


def test_check_without_a_ledger_lists_the_rule_as_skipped() -> None:
    assert "FIL-086" in check(csv_bytes("arenden", [base_row("arenden")])).skipped


def test_events_of_a_later_quarter_are_named() -> None:
    rows = cases("2018Q2", range(2)) + cases("2018Q4", range(8))
    report = check(csv_bytes("arenden", rows))
    (where,) = messages_of(report, "FIL-087")
    assert where.startswith("8 rader har datum i 2018Q4, efter 2018Q3.")
    assert (
        messages_of(check(csv_bytes("arenden", cases("2018Q3", range(9)) + cases("2018Q4", range(1)))), "FIL-087") == []
    )
    assert (
        messages_of(check(csv_bytes("arenden", cases("2018Q2", range(4)))), "FIL-087") == []
    )  # nothing may have happened


def test_a_date_for_ever_names_no_quarter() -> None:
    rows = [{**row, "forhandsbedomning_klar": "9999-12-31"} for row in cases("2018Q3", range(8))]
    report = check(csv_bytes("arenden", rows))
    assert fired(report) == {"ARE-040", "ARE-041"} | ({"ARE-081"} & fired(report))


def test_sketch_is_the_same_under_other_keys_and_other_bytes_of_the_same_rows() -> None:
    contract, rows = load_contracts()["arenden"], cases("2018Q3", range(300))

    def sketch(raw: bytes, keys: object = KEYS) -> Sketch:
        table = conform(read_table(raw, contract), contract, DISTRICT, Quarter.parse(QUARTER), keys)
        return sketch_of_table(table, contract)

    one = sketch(csv_bytes("arenden", rows))
    assert one.rows == 300 and len(one.hashes) == MOST_HASHES and not one.is_whole
    for other in (
        sketch(csv_bytes("arenden", rows), throwaway_keys()),
        sketch(csv_bytes("arenden", rows[::-1], "utf-8", ",")),
    ):
        assert np.array_equal(one.hashes, other.hashes) and one.digest == other.digest
    changed = sketch(csv_bytes("arenden", [{**rows[0], "orsak": "bostad"}, *rows[1:]]))
    assert changed.digest != one.digest


def test_share_of_large_files_is_estimated_and_of_small_ones_exact() -> None:
    contract = load_contracts()["arenden"]

    def sketch(start: int, stop: int) -> Sketch:
        numbers, ids = np.arange(start, stop), [f"A-{n}" for n in range(start, stop)]
        return sketch_of(
            {"arende_id": SketchColumn(numbers - start, ids), "inkom_datum": SketchColumn(numbers % 90)}, contract
        )

    for width, tolerance in ((200, 0.0), (20_000, 0.08)):
        for overlap in (0.0, 0.5, 0.9, 1.0):
            start = round(width * (1 - overlap))
            share, bits, rows = rows_in_common(sketch(0, width), sketch(start, start + width))
            exact = (width - start) / (width + start)
            assert abs(share - exact) <= tolerance, (width, overlap)
            assert bits == 17.0 * rows and rows == (
                width - start if width < MOST_HASHES else round(share * MOST_HASHES)
            )


def test_rows_taken_away_leave_the_sketch() -> None:
    contract = load_contracts()["arenden"]
    rows = pa.table({"arende_id": ["A-1", "A-2"]})
    whole = with_sketch(rows, contract)
    left = with_sketch(whole.slice(1), contract)
    assert left.schema.metadata == with_sketch(rows.slice(1), contract).schema.metadata != whole.schema.metadata


def test_stored_rows_carry_their_sketch() -> None:
    report = check(csv_bytes("arenden", cases("2018Q3", range(3))))
    assert report.table is not None and report.table.sketch is not None
    contract = load_contracts()["arenden"]
    stored = rows_to_store(report.table, contract, Provenance("s", "bromma", "2018Q3", "c", datetime(2018, 10, 1)))
    assert stored.schema.metadata == report.table.sketch.as_footer() == with_sketch(stored, contract).schema.metadata
