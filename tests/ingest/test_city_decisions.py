"""What the city decides: locks, exceptions, withdrawals, local names, files checked again, erasing."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from files import DISTRICT, Installation, base_row, csv_bytes

from ingest.contracts import LocalName
from ingest.ledger import Ledger, LedgerError, Submission, decisions
from ingest.maintenance.erasing import NotAPersonNumber, erase_originals, erase_person
from ingest.maintenance.reprocessing import open_refusals, reprocess
from ingest.quarters import Quarter
from ingest.receiving import receive_district
from ingest.recording import open_intake
from ingest.storing import not_as_stored

Q3 = Quarter(2018, 3)
NAME = f"{DISTRICT}_arenden_2018Q3.csv"
NOW = datetime(2018, 12, 1)
NUMBER, OTHER = "20050505-9824", "20080808-9817"


def submit(installation: Installation, raw: bytes, name: str = NAME, district: str = DISTRICT) -> Submission:
    installation.drop(name, raw, district)
    (receipt,) = receive_district(installation.settings, district).files
    return next(s for s in installation.ledger().submissions() if s.submission_id == receipt.submission_id)


def rules(installation: Installation, found: Submission) -> set[str]:
    return {c.rule for c in installation.ledger().rule_counts(found.submission_id)}


def case(number: int, **changes: str) -> dict[str, str]:
    return base_row("arenden", arende_id=f"A-{number}", **changes)


GOOD = csv_bytes("arenden", [case(1)])
OTHER_GOOD = csv_bytes("arenden", [case(1), case(2, orsak="bostad")])


def test_locked_quarter_refuses_files_until_an_exception_is_opened(installation: Installation) -> None:
    ledger = installation.ledger()
    assert submit(installation, GOOD).state == "accepted"
    assert decisions.lock_quarter(ledger, Q3, NOW) and not decisions.lock_quarter(ledger, Q3, NOW)
    refused = submit(installation, OTHER_GOOD)
    assert refused.state == "refused" and rules(installation, refused) == {"FIL-040"}
    assert ledger.in_force()[0].version == 1
    number = decisions.open_exception(ledger, Q3, DISTRICT, "arenden", until=None, why="fel i export", now=NOW)
    assert submit(installation, OTHER_GOOD).version == 2
    assert decisions.close_exception(ledger, number, NOW) and not decisions.close_exception(ledger, number, NOW)
    assert submit(installation, GOOD).state == "refused"
    assert decisions.unlock_quarter(ledger, Q3, NOW)
    assert submit(installation, GOOD).version == 3


@pytest.mark.parametrize(
    ("district", "dataset", "until", "is_closed"),
    [
        (DISTRICT, None, None, False),
        (DISTRICT, "oppenvard", None, True),
        ("farsta", None, None, True),
        (DISTRICT, None, date(2018, 12, 1), False),
        (DISTRICT, None, date(2018, 11, 30), True),
    ],
)
def test_exception_holds_for_its_district_dataset_and_time_only(
    installation: Installation, district: str, dataset: str | None, until: date | None, is_closed: bool
) -> None:
    ledger = installation.ledger()
    decisions.lock_quarter(ledger, Q3, NOW)
    decisions.open_exception(ledger, Q3, district, dataset, until=until, why="x", now=NOW)
    assert decisions.is_closed_to(ledger, DISTRICT, "arenden", Q3, date(2018, 12, 1)) is is_closed
    assert decisions.is_closed_to(ledger, DISTRICT, "arenden", Q3.next(), date(2018, 12, 1)) is False


def test_file_already_in_force_is_answered_so_even_in_a_locked_quarter(installation: Installation) -> None:
    submit(installation, GOOD)
    decisions.lock_quarter(installation.ledger(), Q3, NOW)
    installation.drop(NAME, GOOD)
    assert [f.state for f in receive_district(installation.settings, DISTRICT).files] == ["duplicate"]


def test_withdrawn_version_gives_way_to_the_one_before_it(installation: Installation) -> None:
    first, second = submit(installation, GOOD), submit(installation, OTHER_GOOD)
    ledger = installation.ledger()
    decisions.withdraw(ledger, second, "fel stadsdel", NOW)
    assert [s.submission_id for s in ledger.in_force()] == [first.submission_id]
    # the same bytes again are not "already received": they are checked anew and in force
    again = submit(installation, OTHER_GOOD)
    assert (again.state, again.version) == ("accepted", 3)
    with pytest.raises(LedgerError, match="only an accepted one"):
        decisions.withdraw(
            ledger, next(s for s in ledger.submissions() if s.submission_id == second.submission_id), "x", NOW
        )


def test_late_and_out_of_order_files_count_and_are_marked(installation: Installation) -> None:
    installation.now = "2019-01-10T08:00"
    late = submit(installation, GOOD)
    newer = submit(installation, csv_bytes("arenden", [case(1)]), f"{DISTRICT}_arenden_2018Q4.csv")
    assert (late.is_on_time, newer.is_on_time) == (False, True)
    assert {s.reporting_quarter for s in installation.ledger().in_force()} == {"2018Q3", "2018Q4"}


SERVICES = f"{DISTRICT}_serviceinsatser_2018Q3.csv"


def test_name_that_the_city_adds_lets_the_refused_file_in_at_its_own_time(installation: Installation) -> None:
    raw = csv_bytes("serviceinsatser", [base_row("serviceinsatser", insats="Kvällssoffan")])
    refused = submit(installation, raw, SERVICES)
    assert refused.state == "refused"
    installation.now = "2018-11-30T08:00"
    with open_intake(installation.settings) as intake:
        decisions.add_local_name(intake.ledger, LocalName(DISTRICT, "Kvällssoffan", "rad_och_stod"), NOW)
        (new,) = reprocess(intake, open_refusals(intake.ledger, rules=["SER-002"]))
        assert (new.state, new.version, new.is_on_time) == ("accepted", 1, True)
        assert new.submitted_at == refused.submitted_at
        assert open_refusals(intake.ledger) == []
    rows = pq.read_table(installation.settings.home / str(new.parquet_path)).to_pylist()
    assert [row["insats"] for row in rows] == ["rad_och_stod"]
    # spelled otherwise, and sent again: the name holds from now on
    installation.now = "2018-10-10T08:00"
    spelled = csv_bytes("serviceinsatser", [base_row("serviceinsatser", insats="KVÄLLSSOFFAN ", antal_i_ko="5")])
    assert submit(installation, spelled, SERVICES).version == 2


def test_name_of_one_district_means_nothing_in_another(installation: Installation) -> None:
    decisions.add_local_name(installation.ledger(), LocalName("farsta", "Soffan", "rad_och_stod"), NOW)
    raw = csv_bytes("serviceinsatser", [base_row("serviceinsatser", insats="Soffan")])
    assert submit(installation, raw, SERVICES).state == "refused"
    assert submit(installation, raw, "farsta_serviceinsatser_2018Q3.csv", "farsta").state == "accepted"


def test_reprocessing_what_is_still_wrong_refuses_it_again_and_keeps_one_original(installation: Installation) -> None:
    submit(installation, csv_bytes("arenden", [case(1, orsak="hittepå")]))
    with open_intake(installation.settings) as intake:
        (again,) = reprocess(intake, open_refusals(intake.ledger))
        (third,) = reprocess(intake, open_refusals(intake.ledger))
    assert again.state == third.state == "refused" and again.original_path == third.original_path
    assert len(list(installation.settings.landing.rglob("*.bin"))) == 1


def test_refusal_that_a_later_file_followed_is_not_checked_again(installation: Installation) -> None:
    submit(installation, csv_bytes("arenden", [case(1, orsak="hittepå")]))
    submit(installation, GOOD)
    assert open_refusals(installation.ledger()) == []


# erasing


def everything(installation: Installation) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in installation.settings.home.rglob("*") if p.is_file()}


def test_originals_past_their_time_are_erased_and_rows_stay(installation: Installation) -> None:
    submit(installation, GOOD)
    installation.now = "2018-11-10T08:00"
    submit(installation, OTHER_GOOD)
    with open_intake(installation.settings) as intake:
        assert erase_originals(intake, datetime(2018, 11, 1), NOW).originals == 1
        assert erase_originals(intake, datetime(2018, 11, 1), NOW).originals == 0
        old, new = intake.ledger.submissions()
    assert old.original_erased_at == NOW and new.original_erased_at is None
    assert not (installation.settings.home / old.original_path).exists()
    assert (installation.settings.home / new.original_path).exists()
    assert installation.ledger().in_force()[0].row_count == 2


def two_persons(installation: Installation) -> tuple[Submission, Submission, Submission]:
    """Two versions with both persons, and a file of another district with only the other."""
    rows = [case(1, personnummer=NUMBER), case(2, personnummer=OTHER, kon="man", orsak="bostad")]
    first = submit(installation, csv_bytes("arenden", rows))
    second = submit(installation, csv_bytes("arenden", [*rows, case(3, personnummer=NUMBER, orsak="vanvard")]))
    third = submit(
        installation, csv_bytes("arenden", [case(9, personnummer=OTHER, kon="man", omrade="")]),
        "farsta_arenden_2018Q3.csv", "farsta",
    )  # fmt: skip
    assert {s.state for s in (first, second, third)} == {"accepted"}, [
        installation.ledger().findings(s.submission_id) for s in (first, second, third)
    ]
    return first, second, third


def test_person_is_removed_from_every_version_and_every_original_that_held_them_goes(
    installation: Installation,
) -> None:
    first, second, third = two_persons(installation)
    with open_intake(installation.settings) as intake:
        done = erase_person(intake, "050505 9824", NOW)
        assert (done.rows, done.files, done.originals) == (3, 2, 2)
        assert erase_person(intake, NUMBER, NOW).rows == 0
    by_id = {s.submission_id: s for s in installation.ledger().submissions()}
    for found, left in ((first, 1), (second, 1), (third, 1)):
        now = by_id[found.submission_id]
        rows = pq.read_table(installation.settings.home / str(now.parquet_path))
        assert rows.num_rows == now.row_count == left
        assert rows["orsak"].to_pylist() == (["bostad"] if found is not third else ["vald_i_familjen"])
    assert (installation.settings.home / third.original_path).exists()
    assert not (installation.settings.home / first.original_path).exists()
    assert not (installation.settings.home / second.original_path).exists()
    assert list((installation.settings.feedback / DISTRICT).iterdir()) == []


def test_refused_originals_that_hold_the_person_go_and_others_stay(installation: Installation) -> None:
    with_person = submit(installation, csv_bytes("arenden", [case(1, personnummer=NUMBER, orsak="hittepå")]))
    without = submit(installation, csv_bytes("arenden", [case(1, personnummer=OTHER, kon="man", orsak="hittepå")]))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", f"<v>{NUMBER.replace('-', '')}</v>")
    workbook = submit(installation, packed.getvalue(), f"{DISTRICT}_arenden_2018Q3.xlsx")
    assert {s.state for s in (with_person, without, workbook)} == {"refused"}
    with open_intake(installation.settings) as intake:
        assert erase_person(intake, NUMBER, NOW).originals == 2
    stored = {p.stem for p in installation.settings.landing.rglob("*.bin")}
    assert stored == {without.submission_id}


@pytest.mark.parametrize("spelled", ["2005.05.05-9824", "5/5 2005 9824", "20 05 05 05 98 24", "5 maj 2005, 9824"])
def test_a_refused_original_that_holds_the_number_written_otherwise_goes(
    installation: Installation, spelled: str
) -> None:
    submit(installation, csv_bytes("arenden", [case(1, personnummer=OTHER, kon="man", orsak=f"se {spelled}")]))
    with open_intake(installation.settings) as intake:
        assert erase_person(intake, NUMBER.replace("-", "\N{EN DASH}"), NOW).originals == 1


@pytest.mark.parametrize(("step", "left"), [("record_rows_removed", 3), ("_remove_other_files", 2)])
def test_an_erasure_cut_off_leaves_what_the_ledger_says_and_is_finished_by_the_next(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, step: str, left: int
) -> None:
    """Before and after the ledger names the file without the person, which has three rows in two files."""
    first, *_ = two_persons(installation)
    from ingest.maintenance import erasing

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with open_intake(installation.settings) as intake:
        monkeypatch.setattr(erasing, step, killed)
        with pytest.raises(KeyboardInterrupt):
            erase_person(intake, NUMBER, NOW)
        assert not_as_stored(intake.rows, [one for one in intake.ledger.submissions() if one.parquet_path]) == []
        monkeypatch.undo()
        assert erase_person(intake, NUMBER, NOW).rows == left
        named = {one.parquet_path for one in intake.ledger.submissions() if one.parquet_path}
        assert set(intake.rows.names()) == named
    now = next(s for s in installation.ledger().submissions() if s.submission_id == first.submission_id)
    assert now.row_count == 1 and now.parquet_sha256 != first.parquet_sha256


def test_queries_and_explanations_about_the_person_go_too(installation: Installation) -> None:
    late = {"forhandsbedomning_klar": "2018-09-20", "utredning_start": "2018-09-20", "utredning_slut": "2018-09-25"}
    found = submit(installation, csv_bytes("arenden", [case(1, personnummer=NUMBER, **late)]))
    from ingest.explaining import explain
    from ingest.ledger.explanations import explanations_of

    queried = {c.rule for c in installation.ledger().rule_counts(found.submission_id)}
    assert queried
    for rule in queried:
        explain(installation.ledger(), installation.settings.home, found, rule, "Familjen var bortrest", NOW)
    with open_intake(installation.settings) as intake:
        erase_person(intake, NUMBER, NOW)
        assert explanations_of(intake.ledger, found.submission_id) == []
        assert intake.ledger.findings(found.submission_id) == []
        intake.ledger.close()
    assert not any(b"bortrest" in content for content in everything(installation).values())


@pytest.mark.parametrize("typed", ["", "nej", "20050505-9825", "2018-1001"])
def test_what_is_no_number_is_refused_without_repeating_it(installation: Installation, typed: str) -> None:
    with open_intake(installation.settings) as intake, pytest.raises(NotAPersonNumber) as caught:
        erase_person(intake, typed, datetime.now(UTC).replace(tzinfo=None))
    assert not typed or typed not in str(caught.value)


def test_ledger_of_the_version_before_counts_its_queries_as_open(tmp_path: Path) -> None:
    import sqlalchemy as sa
    from alembic import command
    from alembic.config import Config

    from ingest.ledger import store

    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(
            sa.text(
                "insert into submission values ('a', 'farsta', 'arenden', '2018Q3', 1, 1, 'accepted', 'f.csv', 'x', 1, "
                "'2018-10-10 08:00:00', '2018-10-20', 1, 1, 5, 0, 4, 1, 1, 'landing/a.bin', 'a.parquet', 'y', 1)"
            )
        )
    engine.dispose()
    (found,) = Ledger(url).submissions()
    assert (found.query_count, found.open_query_count) == (4, 4)
