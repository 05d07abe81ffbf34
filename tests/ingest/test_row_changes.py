"""What a resubmission changes, row by row and column by column; nothing personal is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from files import DISTRICT, QUARTER, Installation, base_row, csv_bytes

from followup.checking import check_paths
from ingest.contracts import load_contracts
from ingest.feedback import as_json, as_text
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter
from ingest.receiving import receive_district
from ingest.row_changes import Changes, RowsChanged, compare_rows
from ingest.storing import stored_schema

Rows = list[dict[str, str]]
Submit = Callable[[str, Rows], str]


@pytest.fixture
def submit(installation: Installation) -> Submit:
    def _submit(dataset: str, rows: Rows) -> str:
        installation.drop(f"{DISTRICT}_{dataset}_{QUARTER}.csv", csv_bytes(dataset, rows))
        (receipt,) = receive_district(installation.settings, DISTRICT).files
        answer = installation.root / "inbox" / DISTRICT / "aterkoppling" / f"{receipt.file_name}.txt"
        assert receipt.state == "accepted", answer.read_text()
        return answer.read_text()

    return _submit


def checked(installation: Installation, dataset: str, rows: Rows) -> Changes | None:
    path = installation.root / f"{DISTRICT}_{dataset}_{QUARTER}.csv"
    path.write_bytes(csv_bytes(dataset, rows))
    ((_, report),) = check_paths(installation.settings, [path])
    return report.changes


def case(number: str, **changes: str) -> dict[str, str]:
    return base_row("arenden", arende_id=number, **changes)


def test_added_gone_and_changed_rows_are_counted_by_column(installation: Installation, submit: Submit) -> None:
    """In force: A (row 2), B (3), C (4), D (5). New: B with two columns changed (2), E new (3), A as it was (4), D with
    one changed (5). So E is added, C (row 4 of the old) gone, rows 2 and 5 changed: orsak twice, hanvisad_till once."""
    submit("arenden", [case("A"), case("B"), case("C"), case("D")])
    new = [case("B", orsak="bostad", hanvisad_till="bup"), case("E"), case("A"), case("D", orsak="annan")]
    assert base_row("arenden")["orsak"] not in ("bostad", "annan")
    assert checked(installation, "arenden", new) == Changes(
        version=1,
        added=RowsChanged(1, (3,)),
        gone=RowsChanged(1, (4,)),
        changed=RowsChanged(2, (2, 5)),
        by_column=(("orsak", 2), ("hanvisad_till", 1)),
    )


def test_other_spelling_and_order_are_no_change(installation: Installation, submit: Submit) -> None:
    rows = [case("A", orsak="bostad", inkom_datum="2018-07-02"), case("B")]
    submit("arenden", rows)
    again = [case("B"), case("A", orsak=" BOSTAD ", inkom_datum="2.7.2018")]
    assert checked(installation, "arenden", again) == Changes(1, *[RowsChanged(0, ())] * 3, ())


def test_nothing_is_in_force_or_file_is_refused_then_nothing_is_compared(
    installation: Installation, submit: Submit
) -> None:
    assert checked(installation, "arenden", [case("A")]) is None
    submit("arenden", [case("A")])
    assert checked(installation, "arenden", [case("A", orsak="hittepå")]) is None


def test_another_child_under_the_same_number_is_another_row_of_arenden_and_a_change_in_oppenvard(
    installation: Installation, submit: Submit
) -> None:
    """The row key is case and child in the one, the district's own number in the other."""
    other = {"personnummer": "20120607-9822"}
    submit("arenden", [case("A")])
    submit("oppenvard", [base_row("oppenvard")])
    cases = checked(installation, "arenden", [case("A", **other)])
    assert cases is not None and (cases.added.count, cases.gone.count, cases.changed.count) == (1, 1, 0)
    episodes = checked(installation, "oppenvard", [base_row("oppenvard", **other)])
    assert episodes is not None
    assert (episodes.changed, episodes.by_column[0]) == (RowsChanged(1, (2,)), ("personnummer", 1))
    assert all(column != "fodelsear" for column, _ in episodes.by_column)


def test_empty_part_of_a_key_is_a_key_too(installation: Installation, submit: Submit) -> None:
    row = base_row("serviceinsatser", hanvisad_fran="")
    submit("serviceinsatser", [row])
    changes = checked(installation, "serviceinsatser", [{**row, "antal_samtal": "9"}])
    assert row["antal_samtal"] != "9"
    assert changes is not None and changes.by_column == (("antal_samtal", 1),)
    assert (changes.added.count, changes.gone.count) == (0, 0)


def test_answer_to_a_resubmission_says_what_it_changed(installation: Installation, submit: Submit) -> None:
    first = submit("arenden", [case("A"), case("B")])
    second = submit("arenden", [case("A", orsak="bostad"), case("C"), case("D")])
    assert "Jämfört" not in first
    assert (
        "Jämfört med version 1, som ersätts: 2 rader tillkommer, 1 försvinner, 1 ändras (orsak 1).\n"
        "    Tillkommer: rad 3, 4\n"
        "    Försvinner: rad 3 i version 1\n"
        "    Ändras: rad 2\n"
    ) in second
    answer = installation.root / "inbox" / DISTRICT / "aterkoppling" / f"{DISTRICT}_arenden_{QUARTER}.csv.json"
    assert json.loads(answer.read_text())["changes"] == {
        "version": 1,
        "added": 2,
        "gone": 1,
        "changed": 1,
        "by_column": [{"column": "orsak", "count": 1}],
        "rows": {"added": [3, 4], "gone": [3], "changed": [2]},
    }


def test_comparison_is_with_the_newest_version(installation: Installation, submit: Submit) -> None:
    submit("arenden", [case("A")])
    submit("arenden", [case("A"), case("B")])
    changes = checked(installation, "arenden", [case("A"), case("C")])
    assert changes is not None and (changes.version, changes.added.count, changes.gone.count) == (2, 1, 1)


def test_file_of_headers_only_makes_every_row_go(installation: Installation, submit: Submit) -> None:
    submit("arenden", [case(f"A-{n}") for n in range(300)])
    changes = checked(installation, "arenden", [])
    assert changes is not None
    assert (changes.gone.count, len(changes.gone.first), changes.added.count) == (300, 200, 0)
    assert "300 rader försvinner." in next(changes.as_text(8))
    assert list(changes.as_text(8))[1].strip() == "Försvinner: rad 2, 3, 4, 5, 6, 7, 8, 9 … och 292 till i version 1"


def test_rows_in_force_that_are_damaged_are_not_compared(installation: Installation, submit: Submit) -> None:
    submit("arenden", [case("A")])
    next(installation.settings.home.glob("validated/**/*.parquet")).write_bytes(b"PAR1")
    path = installation.root / f"{DISTRICT}_arenden_{QUARTER}.csv"
    path.write_bytes(csv_bytes("arenden", [case("B")]))
    ((_, report),) = check_paths(installation.settings, [path])
    assert report.changes is None and report.accepted


def test_words_and_json_hold_nothing_of_the_cells(installation: Installation, submit: Submit, tmp_path: Path) -> None:
    submit("oppenvard", [base_row("oppenvard")])
    path = tmp_path / f"{DISTRICT}_oppenvard_{QUARTER}.csv"
    path.write_bytes(csv_bytes("oppenvard", [base_row("oppenvard", personnummer="20120607-9822")]))
    ((_, report),) = check_paths(installation.settings, [path])
    reported = json.dumps(as_json("f", report)["changes"]) + "\n".join(as_text("f", report))
    for text in ("9822", "20120607", base_row("oppenvard")["personnummer"], base_row("oppenvard")["insats_id"]):
        assert text not in reported


def test_rows_keyed_with_other_keys_are_not_compared(installation: Installation, submit: Submit) -> None:
    """Nobody would be found again: saying that every row is new would be wrong. Counts have no persons."""
    submit("arenden", [case("A")])
    submit("serviceinsatser", [base_row("serviceinsatser")])
    installation.settings.keys.unlink()
    make_keys(installation.settings.keys)
    assert checked(installation, "arenden", [case("A")]) is None
    assert checked(installation, "serviceinsatser", [base_row("serviceinsatser")]) is not None


def test_rows_that_share_a_key_are_distinguished_by_their_order() -> None:
    """No rule lets such rows in today; should one, two rows against three are one more, not six pairs."""
    contract = load_contracts(Quarter(2018, 3))["serviceinsatser"]
    schema = stored_schema(contract)
    row = dict.fromkeys(schema.names) | {"insats": "komet", "antal_nya": 1}
    before = pa.Table.from_pylist([{**row, "source_row_number": n} for n in (2, 3)], schema)
    after = pa.Table.from_pylist([{**row, "source_row_number": n} for n in (7, 8, 9)], schema)
    changes = compare_rows(before, after, contract, 1)
    assert (changes.added, changes.gone.count, changes.changed.count) == (RowsChanged(1, (9,)), 0, 0)
