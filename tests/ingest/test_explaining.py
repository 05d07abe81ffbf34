"""Rätta eller förklara: explanations, what carries them on, and queries that are looked at again."""

from __future__ import annotations

import io
import json
from datetime import datetime

import pytest
from files import DISTRICT, Installation, base_row, csv_bytes
from openpyxl import load_workbook

from followup.checking import check_paths
from ingest.explaining import CannotBeExplained, Explained, explain
from ingest.feedback import as_text, verdict
from ingest.feedback_files import feedback_path
from ingest.ledger import Submission
from ingest.ledger.explanations import explanations_of
from ingest.queries import queries_path, read_queries
from ingest.receiving import receive_district

NOW = datetime(2018, 10, 11)
OPEN = {"utredning_slut": "", "barnet_horts": "", "skola_kontaktad": "", "insats_erbjuden": "", "insats": "",
        "antal_insatser_erbjudna": "", "insats_accepterad": ""}  # fmt: skip
"""What is empty while an investigation is open."""


def submit(installation: Installation, dataset: str, quarter: str, rows: list[dict[str, str]]) -> Submission:
    """Take in a file on the tenth day after its quarter; returns what is in force."""
    year, number = int(quarter[:4]), int(quarter[5])
    installation.now = f"{year + 1}-01-10T08:00" if number == 4 else f"{year}-{number * 3 + 1:02d}-10T08:00"
    installation.drop(f"{DISTRICT}_{dataset}_{quarter}.csv", csv_bytes(dataset, rows))
    (receipt,) = receive_district(installation.settings, DISTRICT).files
    assert receipt.state == "accepted", installation.ledger().findings(receipt.submission_id or "")
    return in_force(installation, dataset, quarter)


def in_force(installation: Installation, dataset: str, quarter: str) -> Submission:
    (found,) = installation.ledger().in_force(district=DISTRICT, dataset=dataset, quarter=quarter)
    return found


def counted(installation: Installation, found: Submission) -> dict[str, int]:
    return {c.rule: c.row_count for c in installation.ledger().rule_counts(found.submission_id)}


def keys(installation: Installation, found: Submission) -> list[tuple[str, int | None, str]]:
    path = queries_path(installation.settings.home, found.district_code, found.submission_id)
    return [(q["rule"], q["source_row_number"], q["row_key"]) for q in read_queries(path).to_pylist()]


def services(**changes: str) -> dict[str, str]:
    return base_row("serviceinsatser", **changes)


# familjebehandling is given after a decision only: SER-009 asks, in every quarter
ASSESSED = {"insats": "familjebehandling"}
KEY = "familjebehandling|foralder|kvinna|vuxen|skola"


def test_explained_query_is_no_longer_open_and_the_rest_are(installation: Installation) -> None:
    found = submit(
        installation, "serviceinsatser", "2018Q3", [services(**ASSESSED), services(**ASSESSED, kon="man"), services()]
    )
    assert found.open_query_count == found.query_count == 2
    assert ("SER-009", 2, KEY) in keys(installation, found)
    given = explain(installation.ledger(), installation.settings.home, found, "SER-009", "Ny form i år", NOW, row=2)
    assert given == Explained(explained=1, still_open=1)
    assert in_force(installation, "serviceinsatser", "2018Q3").open_query_count == 1
    again = explain(
        installation.ledger(),
        installation.settings.home,
        found,
        "SER-009",
        "Båda",
        NOW,
        row_key=KEY.replace("kvinna", "man"),
    )
    assert again.still_open == 0


def test_explanation_is_carried_to_the_next_quarter_while_the_same_rule_fires_for_the_same_row(
    installation: Installation,
) -> None:
    first = submit(installation, "serviceinsatser", "2018Q3", [services(**ASSESSED)])
    explain(installation.ledger(), installation.settings.home, first, "SER-009", "Ny form i år", NOW)
    rows = [services(**ASSESSED, antal_pagaende="17"), services(**ASSESSED, kon="man", antal_pagaende="3")]
    second = submit(installation, "serviceinsatser", "2018Q4", rows)
    carried = explanations_of(installation.ledger(), second.submission_id)
    assert [(e.rule, e.row_key, e.text, e.carried_from) for e in carried] == [
        ("SER-009", KEY, "Ny form i år", first.submission_id)
    ]
    assert second.open_query_count == second.query_count - 1
    # a quarter later the row is gone: nothing is carried, and nothing comes back the quarter after
    third = submit(installation, "serviceinsatser", "2019Q1", [services(antal_pagaende="3")])
    assert explanations_of(installation.ledger(), third.submission_id) == []
    fourth = submit(installation, "serviceinsatser", "2019Q2", [services(**ASSESSED)])
    assert explanations_of(installation.ledger(), fourth.submission_id) == []


def feedback(installation: Installation, found: Submission, ending: str) -> bytes:
    return feedback_path(installation.settings, DISTRICT, found.submission_id, ending).read_bytes()


def test_the_answer_says_what_is_explained_already(installation: Installation) -> None:
    first = submit(installation, "serviceinsatser", "2018Q3", [services(**ASSESSED)])
    assert "1 fråga att rätta eller förklara" in feedback(installation, first, "txt").decode()
    explain(installation.ledger(), installation.settings.home, first, "SER-009", "Ny form i år", NOW)
    second = submit(installation, "serviceinsatser", "2018Q3", [services(**ASSESSED, antal_i_ko="3")])
    text = feedback(installation, second, "txt").decode()
    assert "TAS IN: 1 rad, inga fel, 1 fråga redan förklarad\n" in text
    assert "  FÖRKLARAD SER-009: " in text and "FRÅGA" not in text
    assert json.loads(feedback(installation, second, "json"))["explained"] == {"SER-009": 1}
    cells = load_workbook(io.BytesIO(feedback(installation, second, "xlsx")))["Sammanfattning"]
    said = [cell.value for row in cells.iter_rows() for cell in row]
    assert "FÖRKLARAD" in said and not any("förklara dem" in str(cell) for cell in said)
    rows = [services(**ASSESSED, antal_i_ko="3"), services(**ASSESSED, kon="man")]
    path = installation.drop(f"{DISTRICT}_serviceinsatser_2018Q3.csv", csv_bytes("serviceinsatser", rows))
    ((_, report),) = check_paths(installation.settings, [path])
    assert verdict(report) == "TAS IN: 2 rader, 1 fråga att rätta eller förklara, 1 fråga redan förklarad"
    assert "… varav 1 redan förklarad." in "\n".join(as_text(path.name, report))


def test_resubmission_that_no_longer_fires_closes_the_query_and_one_that_does_keeps_its_explanation(
    installation: Installation,
) -> None:
    first = submit(installation, "serviceinsatser", "2018Q3", [services(**ASSESSED)])
    explain(installation.ledger(), installation.settings.home, first, "SER-009", "Ny form i år", NOW)
    second = submit(installation, "serviceinsatser", "2018Q3", [services(**ASSESSED, antal_i_ko="3")])
    assert (second.version, second.query_count, second.open_query_count) == (2, 1, 0)
    third = submit(installation, "serviceinsatser", "2018Q3", [services()])
    assert (third.version, third.query_count, third.open_query_count) == (3, 0, 0)


def test_rows_about_persons_are_known_by_a_digest_that_stays_the_same(installation: Installation) -> None:
    late = {"forhandsbedomning_klar": "2018-09-20", "utredning_start": "2018-09-20", **OPEN}
    first = submit(installation, "arenden", "2018Q3", [base_row("arenden", **late)])
    ((rule, row, key),) = [k for k in keys(installation, first) if k[1] is not None]
    assert row == 2 and len(key) == 16 and "1001" not in key
    explain(installation.ledger(), installation.settings.home, first, rule, "Semestertid", NOW, row_key=key)
    second = submit(installation, "arenden", "2018Q4", [base_row("arenden", arende_id="B-9", orsak="bostad"),
                                                         base_row("arenden", **late)])  # fmt: skip
    assert [(e.rule, e.row_key) for e in explanations_of(installation.ledger(), second.submission_id)] == [(rule, key)]


def test_query_about_the_file_is_explained_under_a_star(installation: Installation) -> None:
    head, row, _ = csv_bytes("serviceinsatser", [services()]).split(b"\r\n")
    installation.drop(f"{DISTRICT}_serviceinsatser_2018Q3.csv", b"\r\n".join([head + b";Enhet", row + b";Norra", b""]))
    receive_district(installation.settings, DISTRICT)
    found = in_force(installation, "serviceinsatser", "2018Q3")
    assert keys(installation, found) == [("FIL-012", None, "*")]
    explain(installation.ledger(), installation.settings.home, found, "FIL-012", "Vår egen kolumn", NOW)
    assert in_force(installation, "serviceinsatser", "2018Q3").open_query_count == 0


@pytest.mark.parametrize(
    ("rule", "text", "said"),
    [
        ("SER-009", " ", "between 1 and"),
        ("SER-009", "x" * 2001, "between 1 and"),
        ("SER-009", "gäller 20050505-9824", "personnummer"),
        ("SER-010", "nej", "no query"),
    ],
)
def test_what_can_not_be_stored_is_refused_and_not_repeated(
    installation: Installation, rule: str, text: str, said: str
) -> None:
    found = submit(installation, "serviceinsatser", "2018Q3", [services(**ASSESSED)])
    with pytest.raises(CannotBeExplained, match=said) as caught:
        explain(installation.ledger(), installation.settings.home, found, rule, text, NOW)
    assert "9824" not in str(caught.value)
    assert explanations_of(installation.ledger(), found.submission_id) == []


def test_older_quarter_that_comes_late_has_the_next_quarters_queries_looked_at_again(
    installation: Installation,
) -> None:
    later = submit(installation, "serviceinsatser", "2018Q4", [services(antal_pagaende="21")])
    assert "SER-043" not in counted(installation, later)
    # 14 + 10 new − 6 completed − 1 interrupted = 17, not 21
    submit(installation, "serviceinsatser", "2018Q3", [services()])
    again = in_force(installation, "serviceinsatser", "2018Q4")
    assert counted(installation, again)["SER-043"] == 1 and again.open_query_count == 1 == again.query_count
    reported = (
        installation.root / "inbox" / DISTRICT / "aterkoppling" / f"{DISTRICT}_serviceinsatser_2018Q4.csv.omprovad.txt"
    )
    assert "SER-043" in reported.read_text()
    # corrected so that it balances: 18 + 10 − 6 − 1 = 21
    submit(installation, "serviceinsatser", "2018Q3", [services(antal_pagaende="18")])
    mended = in_force(installation, "serviceinsatser", "2018Q4")
    assert "SER-043" not in counted(installation, mended) and mended.query_count == 0
    assert "Inga sådana frågor finns längre" in reported.read_text()


def test_only_the_quarter_after_is_looked_at_again(installation: Installation) -> None:
    submit(installation, "serviceinsatser", "2018Q4", [services(antal_pagaende="17")])
    after = submit(installation, "serviceinsatser", "2019Q1", [services(antal_pagaende="99")])
    before = counted(installation, after)
    submit(installation, "serviceinsatser", "2018Q3", [services()])
    assert counted(installation, in_force(installation, "serviceinsatser", "2019Q1")) == before


def test_cases_that_come_after_their_episodes_settle_what_the_episodes_ask(installation: Installation) -> None:
    rows = [base_row("oppenvard"), base_row("oppenvard", insats_id="I-502", arende_id="FINNS-EJ")]
    episodes = submit(installation, "oppenvard", "2018Q3", rows)
    assert "OPP-005" not in counted(installation, episodes)
    submit(installation, "arenden", "2018Q3", [base_row("arenden")])
    assert counted(installation, in_force(installation, "oppenvard", "2018Q3"))["OPP-005"] == 1


def test_open_case_that_an_older_file_adds_is_asked_for_in_the_next(installation: Installation) -> None:
    case = base_row("arenden", arende_id="A-1", inkom_datum="2018-07-02")
    later = submit(installation, "arenden", "2018Q4", [case])
    assert "ARE-082" not in counted(installation, later)
    missing = base_row("arenden", arende_id="A-2", inkom_datum="2018-07-03", **OPEN)
    submit(installation, "arenden", "2018Q3", [case, missing])
    again = in_force(installation, "arenden", "2018Q4")
    assert counted(installation, again)["ARE-082"] == 1
    explain(installation.ledger(), installation.settings.home, again, "ARE-082", "Flyttad till annan kommun", NOW)
    assert in_force(installation, "arenden", "2018Q4").open_query_count == 0
    # looked at once more, the explanation still answers it
    submit(installation, "arenden", "2018Q3", [case, missing, base_row("arenden", arende_id="A-3", orsak="bostad")])
    assert in_force(installation, "arenden", "2018Q4").open_query_count == 0
