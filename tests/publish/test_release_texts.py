"""What a release says of itself is true of what it publishes: figures of the policy, names, shifts, yes and no."""

from __future__ import annotations

import re

import pytest

from publish.labels import label, load_terms
from publish.marts.declared import Mart, load_marts
from publish.policy import load_policy
from publish.release.texts import (
    added_text,
    column_comment,
    explanation,
    load_texts,
    own_text,
    swedish_pages,
    table_comment,
)
from publish.release.writing import NOT_THERE, in_words

ADDED = ("cut", "too_few", "is_capped", "is_provisional", "release_id", "released_at")
"""What every mart's published rows have beside the mart's own columns."""
ENGLISH = re.compile(r"\b(the|of|with|that|which|are|has|was|for each|row|null)\b", re.IGNORECASE)
CODES = {"alla", "stockholm", "inkommen", "avgjord", "avslutad", "startad", "planerad", "over", "under", "inom"}


def published(mart: Mart) -> set[str]:
    return {name for name, kind in mart.column_types().items() if kind != "not_published"} | {"cut", "too_few"}


def test_every_figure_of_the_policy_is_the_policys() -> None:
    policy = load_policy().cell_keys
    other = policy.model_copy(
        update={
            "all_of_n_percent": 83,
            "too_few": 31,
            "minimum_n": {"mean": 41, "median": 43, "grouped_median": 47, "p90": 53, "kaplan_meier": 59},
        }
    )
    said = in_words(other)
    assert [figure for figure in (83, 31, 41, 43, 47, 53, 59) if str(figure) not in said] == []
    assert "exakt 83 procent" in said and "75" not in said and "0,5 till 1 gånger" in said


@pytest.mark.parametrize("term", ["is_capped", "is_provisional", "too_few", "wait_mean_days"])
def test_the_glossary_has_no_figure_of_the_policy(term: str) -> None:
    found = load_terms()[term]
    assert re.findall(r"\d", found.swedish + found.explanation) == []


def test_what_is_provisional_is_so_by_any_quarter_of_its_period() -> None:
    assert "något av periodens kvartal" in load_terms()["is_provisional"].explanation


def test_what_is_not_there_says_that_the_newest_periods_lack_measures() -> None:
    assert "kan ändras" in NOT_THERE and "uppföljningstid" in NOT_THERE and "alla dess kvartal" in NOT_THERE


def test_texts_are_of_columns_that_are_published_and_have_no_figure_of_the_policy() -> None:
    texts, marts = load_texts(), load_marts()
    assert set(texts.columns) <= {column for mart in marts.values() for column in published(mart)}
    for table, said in texts.tables.items():
        assert table.startswith("dim_") or set(said) <= published(marts[table]) | {""}, table
    words = [
        *texts.kinds.values(),
        *texts.columns.values(),
        *(w for one in texts.tables.values() for w in one.values()),
    ]
    assert set(re.findall(r"\d+(?:,\d+)?", " ".join(words))) == {"0,5", "1", "0,05", "0", "21", "2018", "3"}


def test_numbers_that_are_published_as_yes_or_no_are_called_so() -> None:
    flags = [(name, column) for name, mart in load_marts().items() for column in mart.yes_no]
    assert flags and [one for one in flags if not own_text(*one).startswith("Ja eller nej")] == []


def test_shifted_sums_and_means_and_whole_days_are_called_so() -> None:
    marts = load_marts()
    assert "förskjuten" in added_text(marts["mart_service_interventions"], "sessions")
    said = column_comment("mart_waiting_times", "wait_mean_days")
    assert said.startswith("Medelväntetid (dagar): Summan av dagar") and " I utgåvan hela dagar." in said
    assert "förskjuten" in said
    for mart in marts.values():
        for column in (*mart.sums, *(name for one in mart.durations for name in one.statistics.values())):
            assert added_text(mart, column), column
    equity = marts["mart_equity"]
    said_of = {name: column_comment("mart_equity", name) for name in equity.derived}
    assert [name for name, said in said_of.items() if "visade antal" not in said] == []
    assert "Gränsen" in added_text(equity, "district_rank_low") and "Gränsen" not in added_text(equity, "district_rank")
    # of counts that are exact Wilson's interval is not widened
    assert added_text(marts["mart_case_flow"], "offer_rate_low")
    assert not added_text(marts["mart_submission_status"], "completeness_rate_low")
    assert not added_text(marts["mart_case_flow"], "offer_rate")


def test_the_pilots_difference_is_described_as_the_release_computes_it() -> None:
    said = column_comment("mart_pilot_effect", "difference_in_differences")
    assert "visade antal" not in said  # its error is of single areas, which are not published
    assert "utan vikter" in said
    described = table_comment("mart_pilot_effect")
    assert described.startswith("En rad för varje start av en pilot") and "\n\n### Fråga\n" in described


def test_every_published_column_has_a_label_and_a_swedish_explanation() -> None:
    columns = {(name, column) for name, mart in load_marts().items() for column in (*published(mart), *ADDED)}
    assert sorted(one for one in columns if not label(one[1]) or not explanation(*one)) == []
    said = {one: column_comment(*one) for one in columns} | {(name, ""): table_comment(name) for name in load_marts()}
    assert {one: words for one, words in said.items() if ENGLISH.search(words)} == {}


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        # a text of the table itself, of its stem, and the glossary's of stem and ending
        ("mart_recruitment", "completion_rate", "Deltagare som fullföljt, av deltagare i grupper som avslutats"),
        ("mart_recruitment", "completion_rate_numerator", "Deltagare som fullföljt, av deltagare i grupper"),
        ("mart_recruitment", "completion_rate_numerator", "Andelens täljare."),
        ("mart_outpatient_care", "completion_rate_low", "Fullföljda av avslutade; flytt, överflyttning"),
        ("mart_outpatient_care", "completion_rate_low", "Osäkerhetsintervallets undre gräns. Intervallet är bredare"),
        # of counts in a table, what it counts there
        ("mart_intervention_chain", "started", "Länkade insatser som har börjat."),
        ("mart_outpatient_care", "started", "Insatser som börjat under perioden."),
        ("mart_case_flow", "decided", "Ärenden där det har beslutats att inleda utredning"),
        ("mart_outpatient_care", "decided", "Insatser som beslutats"),
        # one that is no interval of the value beside it
        ("mart_equity", "funnel_low", "Undre gräns för vad slumpen ger 95 av 100 stadsdelar"),
        ("mart_equity", "district_rank_low", "Lägsta tal på placeringen som intervallen tillåter"),
        ("mart_case_flow", "sex", "kvinna, man eller okant. alla är raden för dem tillsammans"),
        ("mart_case_flow", "reason_label", "Orsakens svenska namn."),
        ("dim_period", "reporting_quarter", "Periodens sista kvartal."),
    ],
)
def test_a_column_is_explained_as_of_its_table(table: str, column: str, said: str) -> None:
    assert said in explanation(table, column)


def test_a_column_that_nobody_explains_has_no_explanation() -> None:
    assert explanation("mart_case_flow", "unheard_of") == "" == explanation("mart_case_flow", "unheard_low")


def test_swedish_pages_are_there_and_name_only_what_is_published() -> None:
    marts, pages = load_marts(), swedish_pages()
    assert set(pages) == set(marts)
    named = [(mart, word) for mart, text in pages.items() for word in re.findall(r"`(\w+)`", text)]
    assert [
        (mart, word)
        for mart, word in named
        if word not in CODES | {"about"} and word not in published(marts[mart]) and word not in marts
    ] == []
