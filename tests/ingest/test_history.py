"""Rules over several files look at what is in force, and only at that."""

from __future__ import annotations

from files import DISTRICT, Installation, base_row, csv_bytes

from ingest.receiving import receive_district

OPEN = {
    "utredning_slut": "", "barnet_horts": "", "skola_kontaktad": "", "insats_erbjuden": "", "insats": "",
    "antal_insatser_erbjudna": "", "insats_accepterad": "",
}  # fmt: skip
"""What is empty while an investigation is open."""


def submit(
    installation: Installation, dataset: str, quarter: str, rows: list[dict[str, str]], district: str = DISTRICT
) -> dict[str, int]:
    """Submit a file ten days after its quarter; returns how often each query fired."""
    year, number = int(quarter[:4]), int(quarter[5])
    installation.now = f"{year + 1}-01-10T08:00" if number == 4 else f"{year}-{number * 3 + 1:02d}-10T08:00"
    installation.drop(f"{district}_{dataset}_{quarter}.csv", csv_bytes(dataset, rows), district)
    (receipt,) = receive_district(installation.settings, district).files
    assert receipt.state == "accepted", installation.ledger().findings(receipt.submission_id or "")
    counts = installation.ledger().rule_counts(receipt.submission_id or "")
    return {count.rule: count.row_count for count in counts}


def messages(installation: Installation, rule: str) -> list[str]:
    ledger = installation.ledger()
    return [f.message for s in ledger.submissions() for f in ledger.findings(s.submission_id) if f.rule == rule]


def case(number: int, **changes: str) -> dict[str, str]:
    return base_row("arenden", arende_id=f"A-{number}", inkom_datum=f"2018-07-{number:02d}", **changes)


def test_open_case_missing_from_the_next_file_is_a_query_that_says_where_it_stood(installation: Installation) -> None:
    submit(installation, "arenden", "2018Q3", [case(1), case(2, **OPEN), case(3, **OPEN)])
    fired = submit(installation, "arenden", "2018Q4", [case(3)])
    assert fired["ARE-082"] == 1
    assert messages(installation, "ARE-082")[0].endswith("(rad 3 i förra kvartalets fil)")


def test_reopened_investigation_is_a_query(installation: Installation) -> None:
    submit(installation, "arenden", "2018Q3", [case(1), case(2)])
    fired = submit(installation, "arenden", "2018Q4", [case(1, **OPEN), case(2)])
    assert fired["ARE-083"] == 1


def test_new_investigation_within_a_week_of_one_that_ended_last_quarter_is_a_query(installation: Installation) -> None:
    submit(installation, "arenden", "2018Q3", [case(1, utredning_slut="2018-09-28")])
    late = {"inkom_datum": "2018-10-01", "forhandsbedomning_klar": "2018-10-02", **OPEN}
    within = base_row("arenden", arende_id="A-8", utredning_start="2018-10-05", **late)
    beyond = base_row("arenden", arende_id="A-9", utredning_start="2018-10-06", **late)
    other = {"personnummer": "20120704-9816", "kon": "pojke", "utredning_start": "2018-10-05"}
    assert submit(installation, "arenden", "2018Q4", [within])["ARE-087"] == 1
    assert "ARE-087" not in submit(installation, "arenden", "2018Q4", [beyond])
    assert "ARE-087" not in submit(installation, "arenden", "2018Q4", [{**within, **other}])


def test_first_quarter_has_nothing_to_look_back_at(installation: Installation) -> None:
    assert "ARE-082" not in submit(installation, "arenden", "2018Q3", [case(1)])


def test_older_versions_do_not_count(installation: Installation) -> None:
    submit(installation, "arenden", "2018Q3", [case(1, **OPEN), case(2, **OPEN)])
    submit(installation, "arenden", "2018Q3", [case(2, **OPEN)])
    assert "ARE-082" not in submit(installation, "arenden", "2018Q4", [case(2)])


def test_successor_looks_back_at_its_predecessors(installation: Installation) -> None:
    q2 = {"forhandsbedomning_klar": "2020-04-10", "utredning_start": "2020-04-11", **OPEN}
    row = base_row("arenden", arende_id="A-1", inkom_datum="2020-04-01", omrade="", **q2)
    submit(installation, "arenden", "2020Q2", [row], "alvsjo")
    fired = submit(installation, "arenden", "2020Q3", [], "hagersten-alvsjo")
    assert fired["ARE-082"] == 1


def test_episode_of_an_unknown_case_is_a_query(installation: Installation) -> None:
    submit(installation, "arenden", "2018Q3", [base_row("arenden")])
    rows = [base_row("oppenvard"), base_row("oppenvard", insats_id="I-502", arende_id="FINNS-EJ")]
    assert submit(installation, "oppenvard", "2018Q3", rows)["OPP-005"] == 1


def test_cases_are_not_asked_for_before_the_quarters_cases_are_in_force(installation: Installation) -> None:
    assert "OPP-005" not in submit(installation, "oppenvard", "2018Q3", [base_row("oppenvard")])


def services(**changes: str) -> dict[str, str]:
    return base_row("serviceinsatser", **changes)


def test_stock_that_does_not_balance_is_a_query(installation: Installation) -> None:
    # 14 + 10 new − 6 completed − 1 interrupted = 17
    submit(installation, "serviceinsatser", "2018Q3", [services()])
    assert "SER-043" not in submit(installation, "serviceinsatser", "2018Q4", [services(antal_pagaende="17")])
    assert submit(installation, "serviceinsatser", "2019Q1", [services(antal_pagaende="21")])["SER-043"] == 1


def test_group_whose_stock_vanishes_is_a_query(installation: Installation) -> None:
    submit(installation, "serviceinsatser", "2018Q3", [services()])
    assert submit(installation, "serviceinsatser", "2018Q4", [services(insats="komet")])["SER-044"] == 1


def test_count_far_from_the_median_of_four_quarters_is_a_query(installation: Installation) -> None:
    for quarter, talks in (("2018Q1", "20"), ("2018Q2", "30"), ("2018Q3", "40"), ("2018Q4", "50")):
        submit(installation, "serviceinsatser", quarter, [services(antal_samtal=talks)])
    # median 35: 175 is five times it and passes, 176 is more; 7 is a fifth and passes, 6 is under
    for talks, expected in (("175", 0), ("176", 1), ("7", 0), ("6", 1)):
        fired = submit(installation, "serviceinsatser", "2019Q1", [services(antal_samtal=talks)])
        assert fired.get("SER-049", 0) == expected, talks
