"""One clinic under several spellings: against the file of the quarter before, and what counts as alike."""

from __future__ import annotations

import pytest
from files import DISTRICT, Installation, base_row, csv_bytes

from ingest.ledger import Submission
from ingest.queries import queries_path, read_queries
from ingest.receiving import receive_district
from ingest.similar_names import are_alike

UNG = "ungdomsmottagning"


def received(installation: Installation, quarter: str, *clinics: str) -> Submission:
    rows = [base_row(UNG, mottagning=name, besok=f"{80 + at}") for at, name in enumerate(clinics)]
    installation.now = "2019-01-10T08:00:00"
    installation.drop(f"{DISTRICT}_{UNG}_{quarter}.csv", csv_bytes(UNG, rows))
    (receipt,) = receive_district(installation.settings, DISTRICT).files
    assert receipt.state == "accepted"
    (found,) = installation.ledger().in_force(district=DISTRICT, dataset=UNG, quarter=quarter)
    return found


def asked(installation: Installation, found: Submission) -> list[str]:
    findings = installation.ledger().findings(found.submission_id)
    return [finding.message for finding in findings if finding.rule == "FIL-072"]


def test_a_name_spelt_otherwise_than_last_quarter_is_asked_about_and_not_repeated(installation: Installation) -> None:
    first = received(installation, "2018Q2", "Alviks ungdomsmottagning", "Nockeby UM")
    assert asked(installation, first) == []
    second = received(installation, "2018Q3", "Nockeby UM", "Alvik UM")
    (message,) = asked(installation, second)
    assert message.startswith(
        "I Mottagning är namnet på rad 3 nästan detsamma som på rad 2 i förra kvartalets fil. Menas samma,"
    )
    path = queries_path(installation.settings.home, DISTRICT, second.submission_id)
    (key,) = [q["row_key"] for q in read_queries(path).to_pylist() if q["rule"] == "FIL-072"]
    assert "alvik" not in key and len(key) == 20
    # both are there in the quarter after: then they are two spellings of that file
    third = received(installation, "2018Q4", "Alvik UM", "Alviks ungdomsmottagning")
    (message,) = asked(installation, third)
    assert "namnet på rad 3 nästan detsamma som på rad 2. Menas samma," in message


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (("hasselby",), ("hassleby",), True),
        (("hasselby",), ("vallingby",), False),
        (("a", "bromma"), ("b", "bromma"), False),
        (("bromma",), ("bromma", "norra"), False),
        (("klinik12345",), ("klinik12346",), False),
        ((), (), False),
    ],
)
def test_names_are_alike_where_one_word_is_misspelt(one: tuple[str, ...], other: tuple[str, ...], alike: bool) -> None:
    assert are_alike(one, other) is alike
