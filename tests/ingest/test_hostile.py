"""Files and drop locations that would crash intake, make it lose data, or make it repeat what it must not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from files import DISTRICT, Installation, base_row, check, csv_bytes, fired

from ingest import checking, taking_in
from ingest.feedback import as_text
from ingest.ledger import Ledger, LedgerError
from ingest.maintenance.restoring_rows import restore_rows
from ingest.receiving import receive, receive_district
from ingest.recording import open_intake
from ingest.storing import DamagedRows

NAME = f"{DISTRICT}_arenden_2018Q3.csv"
GOOD = csv_bytes("arenden", [base_row("arenden")])
NUMBER = "050505-9824"


def states(installation: Installation) -> list[str]:
    return [file.state for file in receive_district(installation.settings, DISTRICT).files]


@pytest.mark.parametrize("cell", ['"kvin\rna"', '"kvin\nna"', '"kvinna\r"'])
def test_line_end_in_a_quoted_cell_gives_a_verdict(cell: str) -> None:
    report = check(csv_bytes("arenden", [base_row("arenden", kon=cell), base_row("arenden", arende_id="2")]))
    assert report.rows == 2
    assert "FIL-020" not in fired(report)


@pytest.mark.parametrize("cell", ['"2018"-07-02', '""x', 'a"b"c'])
def test_stray_quotes_are_errors_wherever_they_are(cell: str) -> None:
    alone = check(csv_bytes("arenden", [base_row("arenden", hanvisad_till=cell)]))
    beside_a_blank_line = check(csv_bytes("arenden", [base_row("arenden", hanvisad_till=cell)]) + b"\r\n\r\n")
    assert not alone.accepted
    assert fired(alone) == fired(beside_a_blank_line)


def test_rows_swallowed_by_a_stray_quote_are_an_error() -> None:
    rows = [base_row("arenden", arende_id=f"A-{n}") for n in range(4)]
    lines = csv_bytes("arenden", rows).split(b"\r\n")
    lines = [lines[0] + b";kommentar", lines[1] + b';"bra', lines[2] + b";", lines[3] + b";", lines[4] + b';ok"', b""]
    report = check(b"\r\n".join(lines))
    assert not report.accepted and "FIL-009" in fired(report)


def test_header_of_very_many_columns_is_refused_at_once() -> None:
    head, row, _ = GOOD.split(b"\r\n")
    report = check(head + b";" * 400_000 + b"x\r\n" + row + b"\r\n")
    assert fired(report) == {"FIL-022"}


def test_very_long_cell_is_refused_with_its_own_message() -> None:
    report = check(csv_bytes("arenden", [base_row("arenden", hanvisad_till='"' + "x" * 1_100_000 + '"')]))
    assert fired(report) == {"FIL-023"}


def test_row_of_many_long_cells_gives_a_verdict() -> None:
    long = dict.fromkeys(("orsak", "insats", "hanvisad_till", "kon", "uppgiftslamnare"), '"' + "å" * 900_000 + '"')
    report = check(csv_bytes("arenden", [base_row("arenden", **long)]))
    assert "ARE-033" in fired(report) and "FIL-020" not in fired(report)


@pytest.mark.parametrize("text", ["1.000", "1,000", "12.345"])
def test_thousands_are_never_read_as_decimals(text: str) -> None:
    report = check(
        csv_bytes("serviceinsatser", [base_row("serviceinsatser", antal_samtal=text)]),
        f"{DISTRICT}_serviceinsatser_2018Q3.csv",
    )
    assert not report.accepted


@pytest.mark.parametrize("text", ["505059824", "50505-9824"])
def test_number_that_lost_its_zero_is_found_in_a_date_column_and_never_quoted(text: str) -> None:
    report = check(csv_bytes("arenden", [base_row("arenden", inkom_datum=text)]))
    assert "FIL-015" in fired(report)
    assert all("9824" not in found.message for found in report.findings())


@pytest.mark.parametrize("joined", ["050505_9824", "050505/9824", "20050505--9824"])
def test_number_with_another_sign_in_an_identifier_is_an_error(joined: str) -> None:
    assert "FIL-015" in fired(check(csv_bytes("arenden", [base_row("arenden", arende_id=joined)])))


@pytest.mark.parametrize("joined", ["050505\N{NO-BREAK SPACE}9824", "050505–9824", "050505 - 9824"])
def test_number_with_another_sign_in_an_unknown_column_or_header_is_an_error(joined: str) -> None:
    head, row, _ = GOOD.split(b"\r\n")
    in_cell = check(b"\r\n".join([head + b";Not;", row + b";;" + joined.encode("cp1252"), b""]))
    in_header = check(b"\r\n".join([head + b";" + joined.encode("cp1252"), row + b";", b""]))
    assert "FIL-015" in fired(in_header) and not in_header.accepted
    assert not in_cell.accepted


def test_ordinary_case_numbers_are_no_persons() -> None:
    rows = [base_row("arenden", arende_id=f"2018-{n:05d}", orsak="bostad") for n in range(1, 400)]
    assert "FIL-015" not in fired(check(csv_bytes("arenden", rows)))


def test_text_counts_every_fault_that_it_does_not_show() -> None:
    report = check(b"Insats\r\n", "bromma_serviceinsatser_2018Q3.csv")
    text = "\n".join(as_text("fil", report))
    assert text.count("FEL FIL-010") == 8
    missing = sum(c.row_count for c in report.counts() if c.rule == "FIL-010")
    assert f"… och {missing - 8} ställen till med FIL-010" in text


@pytest.mark.parametrize("quarter", ["9998Q4", "0001Q1", "1899Q4"])
def test_absurd_years_are_refused_by_name(installation: Installation, quarter: str) -> None:
    installation.drop(f"{DISTRICT}_arenden_{quarter}.csv", GOOD)
    assert states(installation) == ["refused"]


def test_fault_of_ours_refuses_one_file_and_the_others_go_on(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = checking._check_file

    def failing(raw: bytes, name: object, *rest: object) -> object:
        if b"Alvik" in raw:
            raise RuntimeError(f"cell holds {NUMBER}")
        return real(raw, name, *rest)

    monkeypatch.setattr(checking, "_check_file", failing)
    installation.drop(NAME, GOOD)
    installation.drop("farsta_arenden_2018Q3.csv", GOOD.replace(b"Alvik", b""), "farsta")
    receipt = receive(installation.settings)
    assert {d.district_code: [f.state for f in d.files] for d in receipt.districts} == {
        "bromma": ["refused"], "farsta": ["accepted"],
    }  # fmt: skip
    assert "RuntimeError" in caplog.text and NUMBER not in caplog.text
    assert [c.rule for s in installation.ledger().submissions(district="bromma")
            for c in installation.ledger().rule_counts(s.submission_id)] == ["FIL-020"]  # fmt: skip


def test_file_replaced_while_it_is_checked_is_taken_by_the_next_run(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, newer = installation.drop(NAME, GOOD), GOOD.replace(b"Alvik", b"alvik")
    real = taking_in.check_file

    def slow(*arguments: object) -> object:
        path.write_bytes(newer)
        return real(*arguments)

    monkeypatch.setattr(taking_in, "check_file", slow)
    assert states(installation) == ["accepted"]
    assert path.read_bytes() == newer
    monkeypatch.undo()
    assert states(installation) == ["accepted"]
    (current,) = installation.ledger().in_force()
    assert current.version == 2 and not path.exists()


def test_file_too_large_is_set_aside_whole(installation: Installation) -> None:
    large = GOOD + b"x" * 1_200_000
    installation.drop(NAME, large)
    settings = installation.settings.model_copy(update={"max_file_megabytes": 1})
    receive_district(settings, DISTRICT)
    assert (installation.root / "inbox" / DISTRICT / "for_stora" / NAME).read_bytes() == large
    (found,) = installation.ledger().submissions()
    assert found.state == "refused" and found.size_bytes == len(large)
    assert receive_district(settings, DISTRICT).files == ()


def test_already_received_is_reported_to_the_sender(installation: Installation) -> None:
    for _ in range(2):
        installation.drop(NAME, GOOD)
        states(installation)
    answer = installation.root / "inbox" / DISTRICT / "aterkoppling" / f"{NAME}.txt"
    assert "REDAN MOTTAGEN" in answer.read_text()


@pytest.mark.parametrize("content", ["[" * 200_000, "null", "[1]", '{"files": 3}', '{"files": {"a": ["b"]}}'])
def test_hostile_manifest_marks_nothing_and_stops_nothing(installation: Installation, content: str) -> None:
    installation.drop("SYNTETISK.json", content.encode())
    installation.drop(NAME, GOOD)
    assert states(installation) == ["accepted"]
    assert not installation.ledger().in_force()[0].is_synthetic


def test_manifest_that_is_no_file_of_its_own_is_left_alone(installation: Installation) -> None:
    folder = installation.root / "inbox" / DISTRICT
    os.mkfifo(folder / "SYNTETISK.json")
    installation.drop(NAME, GOOD)
    assert states(installation) == ["accepted"]


def test_answers_never_leave_the_drop_location_by_a_link(installation: Installation, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (installation.root / "inbox" / DISTRICT / "aterkoppling").symlink_to(elsewhere)
    installation.drop(NAME, GOOD)
    assert states(installation) == ["accepted"]
    assert list(elsewhere.iterdir()) == []


def test_file_in_the_way_of_answers_stops_nothing(installation: Installation) -> None:
    installation.drop("aterkoppling", b"x")
    installation.drop(NAME, GOOD)
    assert sorted(states(installation)) == ["accepted", "refused"]


def test_very_long_names_are_refused_and_answered(installation: Installation) -> None:
    installation.drop("å" * 120 + ".csv", GOOD)
    assert states(installation) == ["refused"]
    answers = installation.root / "inbox" / DISTRICT / "aterkoppling"
    assert json.loads(next(answers.glob("*.json")).read_text())["accepted"] is False


def test_damaged_ledger_is_named_without_traceback(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(os.urandom(4096))
    with pytest.raises(LedgerError, match="damaged"):
        Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


def test_damaged_rows_of_the_previous_quarter_leave_the_file_waiting_until_they_are_restored(
    installation: Installation,
) -> None:
    installation.drop(NAME, GOOD)
    states(installation)
    (earlier,) = installation.ledger().submissions()
    next(installation.settings.home.glob("validated/**/*.parquet")).write_bytes(b"PAR1")
    installation.now = "2019-01-10T08:00"
    waiting = installation.drop(f"{DISTRICT}_arenden_2018Q4.csv", GOOD)
    with pytest.raises(DamagedRows, match=f"followup restore-rows {earlier.submission_id}"):
        states(installation)
    assert waiting.exists()
    assert installation.ledger().submissions() == [earlier]
    with open_intake(installation.settings) as intake:
        restore_rows(intake, earlier)
    assert states(installation) == ["accepted"]
