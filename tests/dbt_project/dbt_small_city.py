"""A city of three districts, two of which merge on 1 July 2020; every figure in it can be counted on one's fingers.

Quarters 2020Q1–2020Q3, seen on 25 October 2020. Farsta sends all three; Älvsjö and Hägersten-Liljeholmen send two and
go on as Hägersten-Älvsjö. The other districts send nothing. All children are born on 1 January 2010 (10 years old).
"""

from __future__ import annotations

from dbt_inputs import Inputs, Row, case, concluded, ended_episode, episode, investigated, service

OFFER = {"insats_erbjuden": "ja", "insats": "familjebehandling"}


def submit_small_city(inputs: Inputs) -> None:
    """Take in everything that the city has sent."""
    _cases_of_farsta(inputs)
    _cases_of_the_merging(inputs)
    _outpatient_care(inputs)
    _service_interventions(inputs)


def _cases_of_farsta(inputs: Inputs) -> None:
    # The first quarter came twice: version 2 is in force, late, and says what F2's reason really was.
    inputs.submit("farsta", "arenden", "2020Q1", case("F9", "p-gone", "2020-01-02"), version=1, in_force=False)
    inputs.submit(
        "farsta",
        "arenden",
        "2020Q1",
        case("F1", "p1", "2020-01-15"),
        investigated("F2", "p2", "2020-02-01", "2020-02-10", orsak="bostad"),
        concluded("F4", "p4", "2019-12-01", "2019-12-05", "2020-02-15"),
        case("F6", "p6", "2020-02-20", forhandsbedomning_klar="2020-03-01", utredning_inledd="nej"),
        version=2,
        days_after_quarter=40,
        open_queries=2,
    )
    # F2 is gone while its investigation was open: lost. F6 was settled: not lost. F3's answer is awaited.
    inputs.submit(
        "farsta",
        "arenden",
        "2020Q2",
        investigated("F1", "p1", "2020-01-15", "2020-01-25"),
        concluded("F3", "p3", "2020-04-03", "2020-04-10", "2020-06-01", insats_accepterad="vantar", **OFFER),
        case("F5", "löp-7", "2020-05-05", forhandsbedomning_klar="2020-05-10", utredning_inledd="nej"),
    )
    # F1 is concluded in its third file; F3's answer is in; F5 is reported again; F7 has come and is pending.
    inputs.submit(
        "farsta",
        "arenden",
        "2020Q3",
        concluded(
            "F1", "p1", "2020-01-15", "2020-01-25", "2020-08-10", barnet_horts="ja", insats_accepterad="ja", **OFFER
        ),
        concluded("F3", "p3", "2020-04-03", "2020-04-10", "2020-06-01", insats_accepterad="nej", **OFFER),
        case("F5", "löp-7", "2020-05-05", forhandsbedomning_klar="2020-05-10", utredning_inledd="nej"),
        case("F7", "p7", "2020-09-20"),
        case("F8", "p7", "2020-09-25", orsak="vanvard"),
    )


def _cases_of_the_merging(inputs: Inputs) -> None:
    for quarter in ("2020Q1", "2020Q2"):
        inputs.submit("alvsjo", "arenden", quarter, *_alvsjo(quarter))
        inputs.submit("hagersten-liljeholmen", "arenden", quarter, *_hagersten(quarter))
    # Älvsjö's A1 goes on under the successor; N1 is its own, for a child that Farsta knows.
    inputs.submit(
        "hagersten-alvsjo",
        "arenden",
        "2020Q3",
        concluded("A1", "p-a", "2020-05-10", "2020-05-20", "2020-07-20", omrade="solberga"),
        concluded("N1", "p1", "2020-07-02", "2020-07-05", "2020-09-01", insats_accepterad="ja", **OFFER),
    )


def _alvsjo(quarter: str) -> list[Row]:
    return [investigated("A1", "p-a", "2020-05-10", "2020-05-20")] if quarter == "2020Q2" else []


def _hagersten(quarter: str) -> list[Row]:
    # The same number as Älvsjö's, another child: a case of its own.
    closed = case("A1", "p-h", "2020-04-20", forhandsbedomning_klar="2020-04-25", utredning_inledd="nej")
    return [closed] if quarter == "2020Q2" else []


def _outpatient_care(inputs: Inputs) -> None:
    inputs.submit(
        "farsta",
        "oppenvard",
        "2020Q2",
        ended_episode("I1", "p3", "2020-04-01", "2020-04-11", "2020-06-20", antal_tillfallen=8),
        episode("I2", "p4", "2020-05-01", start_datum="2020-05-31"),
        episode("I3", "p6", "2020-06-15"),
    )
    # I1 has been followed up since; I2 goes on; I3 was never begun and is gone: lost.
    inputs.submit(
        "farsta",
        "oppenvard",
        "2020Q3",
        ended_episode(
            "I1",
            "p3",
            "2020-04-01",
            "2020-04-11",
            "2020-06-20",
            antal_tillfallen=8,
            uppfoljd="ja",
            uppfoljningsmetod="intervju",
        ),
        episode("I2", "p4", "2020-05-01", start_datum="2020-05-31"),
        episode("I4", "p1", "2020-08-12", arende_id="F1", start_datum="2020-08-30"),
    )


def _service_interventions(inputs: Inputs) -> None:
    for quarter in ("2020Q2", "2020Q3"):
        inputs.submit(
            "farsta",
            "serviceinsatser",
            quarter,
            service(
                "rad_och_stod",
                antal_nya=6,
                antal_fullfoljt=8,
                antal_avbrutit=2,
                antal_uppfoljda=5,
                antal_samtal=30,
                vantade_0_7=2,
                vantade_8_14=4,
                vantade_15_30=0,
                vantade_31_90=0,
                vantade_over_90=0,
                vantetid_summa_dagar=54,
                hanvisad_fran="skola",
            ),
            service("komet", kon="man", antal_nya=4, antal_pagaende=4),
        )
