"""The metrics give the marts' figures: each is compiled from its parsed definition and asked of a built warehouse.

MetricFlow is no part of the project (`make test-metrics` asks it, in an environment of its own). What it would ask is
written out here for the few things that the definitions use: sums, sums of booleans and distinct counts over one model,
grouped by quarter and dimensions, filtered by a dimension of the model itself or of one that a foreign entity leads to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from dbt_built import DIMENSIONS, Warehouse, build_warehouse
from dbt_inputs import Inputs, Row, case, concluded, ended_episode, episode, investigated, service

QUARTERS = [f"{year}Q{number}" for year in (2018, 2019, 2020) for number in (1, 2, 3, 4)][:11]
AGGREGATED = {
    "sum": "coalesce(sum({0}), 0)",
    "sum_boolean": "coalesce(sum(case when {0} then 1 else 0 end), 0)",
    "count_distinct": "count(distinct {0})",
}
FILTER = re.compile(r"\{\{ Dimension\('(\w+)__(\w+)'\) \}\}")
OF_GOALS = {
    "pre_assessment_14_days_rate", "investigation_rate", "within_60_days_rate", "within_4_months_rate_0_17",
    "within_4_months_rate_18_20", "offer_rate", "acceptance_rate", "given_rate", "child_heard_rate",
    "school_contacted_rate", "re_referral_rate_90", "re_referral_rate_180", "re_referral_rate_365",
    "re_referral_kkik_0_12", "re_referral_kkik_13_20", "not_started_90_days_rate", "completion_rate", "follow_up_rate",
}  # fmt: skip
OF_CARE = {"goal_full_rate", "goal_partial_rate", "goal_none_rate", "goal_not_assessed_rate"}
WAITED = {"vantade_0_7": 2, "vantade_8_14": 2, "vantade_15_30": 0, "vantade_31_90": 0, "vantade_over_90": 0}
WAITS = {"wait_investigation": "decided", "wait_to_start": "started", "wait_total": "started"}


@dataclass(frozen=True)
class Semantics:
    """The parsed definitions, and how each metric is asked."""

    manifest: Any

    @property
    def metrics(self) -> dict[str, Any]:
        """All metrics by name."""
        return {metric.name: metric for metric in self.manifest.metrics.values()}

    @property
    def ratios(self) -> set[str]:
        """The names of the metrics that are one number by another."""
        return {name for name, metric in self.metrics.items() if metric.type.value == "ratio"}

    def model_of(self, measure: str) -> Any:
        """The one semantic model that holds a measure."""
        (found,) = (m for m in self.manifest.semantic_models.values() if measure in {each.name for each in m.measures})
        return found

    def sql(self, name: str, by: tuple[str, ...] = (), *, filtered: bool = True) -> str:
        """A simple metric by quarter and dimensions (of its model, or `entity__dimension`)."""
        metric = self.metrics[name]
        measure_name = metric.type_params.measure.name
        model = self.model_of(measure_name)
        (measure,) = (each for each in model.measures if each.name == measure_name)
        time = measure.agg_time_dimension or model.defaults.agg_time_dimension
        joins: dict[str, str] = {}
        wheres = [f.where_sql_template for f in metric.filter.where_filters] if metric.filter and filtered else []
        wheres = [FILTER.sub(lambda m: self.reached(model, m[1], m[2], joins), each) for each in wheres]
        date = self.expression(model, time)
        columns = [f"year({date}) || 'Q' || quarter({date})"]
        columns += [
            self.reached(model, *each.split("__"), joins) if "__" in each else self.expression(model, each)
            for each in by
        ]
        # an expression names its own model's columns, so each model is asked by itself before it is joined
        aggregate = AGGREGATED[measure.agg.value].format(f"({measure.expr or measure.name})")
        return (
            f"select {', '.join(columns)}, {aggregate} from {relation(model)} as own "
            + " ".join(joins.values())
            + (f" where {' and '.join(wheres)}" if wheres else "")
            + " group by all"
        )

    def reached(self, model: Any, entity: str, dimension: str, joins: dict[str, str]) -> str:
        """A dimension of another model, left joined through the entity that both have."""
        (link,) = (each for each in model.entities if each.name == entity)
        (other,) = (
            m
            for m in self.manifest.semantic_models.values()
            if entity in {each.name for each in m.entities if each.type.value == "primary"}
        )
        (key,) = (each for each in other.entities if each.name == entity)
        own_key = re.sub(r"\b(district_code|\w+_quarter)\b", r"own.\1", link.expr)
        column = self.expression(other, dimension)
        joins[entity] = (
            f"left join (select {key.expr} as {entity}_key, {column} as {entity}__{dimension} from {relation(other)}) "
            f"on {own_key} = {entity}_key"
        )
        return f"{entity}__{dimension}"

    @staticmethod
    def expression(model: Any, dimension: str) -> str:
        """A dimension's expression."""
        (found,) = (each for each in model.dimensions if each.name == dimension)
        return f"({found.expr or found.name})"


def relation(model: Any) -> str:
    """The table that a semantic model reads, without the database of the parse."""
    return f"{model.node_relation.schema_name}.{model.node_relation.alias}"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Three districts over eleven quarters; two of them merge, and one file of Farsta's never came."""
    folder = tmp_path_factory.mktemp("semantic")
    inputs = Inputs(folder / "inputs", as_of_date="2020-10-25")
    for unit, district in enumerate(("farsta", "alvsjo", "hagersten-liljeholmen")):
        for number, quarter in enumerate(QUARTERS):
            if (district, quarter) == ("farsta", "2019Q2"):
                continue
            code = "hagersten-alvsjo" if unit == 2 and quarter == "2020Q3" else district
            if unit == 1 and quarter == "2020Q3":
                continue
            rows = list(cases_of(district, quarter, number + unit))
            if (district, quarter) == ("farsta", "2018Q1"):
                rows.append(
                    concluded("before", "before", "2017-08-01", "2017-08-05", "2018-01-20", insats_erbjuden="nej")
                )
            if (district, quarter) == ("farsta", "2019Q3"):
                rows.append(investigated("left", "left", "2019-05-03", "2019-05-20"))
            inputs.submit(code, "arenden", quarter, *rows)
            inputs.submit(code, "oppenvard", quarter, *episodes_of(district, quarter, number + unit))
            counts = {"antal_nya": 4 + unit, "antal_fullfoljt": 3 + number, "antal_avbrutit": 2, "antal_uppfoljda": 1}
            counts |= {"antal_pagaende": 5, "antal_i_ko": unit, **WAITED, "vantetid_summa_dagar": 20 + number}
            inputs.submit(code, "serviceinsatser", quarter, service("rad_och_stod", **counts))
    wanted = ("mart_goal_indicators", "mart_case_flow", "mart_outpatient_care", "mart_service_interventions", "dim_day")
    warehouse = build_warehouse(folder, inputs, *(f"+{model}" for model in wanted))
    assert warehouse.built.success
    return warehouse


def day_of(quarter: str, day: int, month: int = 0) -> str:
    """A day of a quarter's month."""
    return f"{quarter[:4]}-{3 * int(quarter[5]) - 2 + month:02d}-{day:02d}"


def cases_of(district: str, quarter: str, number: int) -> Iterator[Row]:
    """One who comes back after a quarter, one heard who comes back at once, one of 16 to 19, one not investigated."""
    name = f"{district}-{quarter}"
    start, end = day_of(quarter, 3), day_of(quarter, 2 + number, 2)
    answer = "ja" if number % 3 else "nej"
    helped = {"insats_erbjuden": "ja", "insats": "familjebehandling", "insats_accepterad": answer}
    boy = {"kon": "man", "skola_kontaktad": "ja"}
    yield concluded(f"{name}-a", f"{district}-{number % 2}", start, start, end, **helped)
    yield concluded(
        f"{name}-b", f"{district}-b-{number // 2}", start, day_of(quarter, 9 + number), end, barnet_horts="ja", **boy
    )
    yield concluded(f"{name}-c", f"{name}-youth", start, start, day_of(quarter, 20, 1), birth_date="2001-02-01")
    done = {"forhandsbedomning_klar": day_of(quarter, 10 + number), "utredning_inledd": "nej"}
    yield case(f"{name}-d", f"{name}-d", start, **done)


def episodes_of(district: str, quarter: str, number: int) -> Iterator[Row]:
    """Four that end, one of them asked for and one that follows on a case, and one that does not begin."""
    name = f"{district}-{quarter}"
    decided, start, end = day_of(quarter, 1), day_of(quarter, 2 + number), day_of(quarter, 20, 2)
    goals = ("helt", "delvis", "inte", "ej_bedomd")
    asked = {"ansokan_datum": decided, "uppfoljd": "ja", "uppfoljd_datum": end}
    yield ended_episode(f"{name}-a", f"{name}-a", decided, start, end, maluppfyllelse=goals[number % 4], **asked)
    yield ended_episode(f"{name}-b", f"{name}-b", decided, start, end, avslutsorsak="flytt", maluppfyllelse="ej_bedomd")
    other = {"avslutsorsak": "avbruten_familjen", "kon": "man", "maluppfyllelse": goals[(number + 1) % 4]}
    yield ended_episode(f"{name}-c", f"{name}-c", decided, start, end, **other)
    yield episode(f"{name}-d", f"{name}-d", decided)
    case_of = {"arende_id": f"{name}-c", "birth_date": "2001-02-01"}
    after_case = day_of(quarter, 21 + number % 5, 1), day_of(quarter, 1, 2), day_of(quarter, 25, 2)
    yield ended_episode(f"{name}-e", f"{name}-youth", *after_case, **case_of)


@pytest.fixture(scope="module")
def semantics(city: Warehouse) -> Semantics:
    """The definitions as dbt parses them."""
    outcome = city.run("--warn-error", "parse")
    assert outcome.exception is None
    return Semantics(outcome.result)


def asked(city: Warehouse, semantics: Semantics, name: str, by: tuple[str, ...] = (), **how: bool) -> dict[Any, float]:
    """A simple metric's figures that are not 0, by quarter and dimensions."""
    rows = [tuple(row.values()) for row in city.rows(semantics.sql(name, by, **how))]
    return {key: value for *key_parts, value in rows if value and all(key := tuple(key_parts))}


def mart_figures(
    city: Warehouse, mart: str, column: str, by: tuple[str, ...] = (), district: str | None = "stockholm", **where: str
) -> dict[Any, float]:
    """A mart's figures that are not 0, of rows broken down by `by` alone."""
    conditions = [f"{key} = '{value}'" for key, value in where.items()]
    conditions += [f"{each} {'<>' if each in by else '='} 'alla'" for each in DIMENSIONS[mart]]
    conditions += [f"district_code {'=' if district else '<>'} '{district or 'stockholm'}'"]
    conditions += ["district_basis = 'as_submitted'"] if "district_basis" not in where else []
    conditions += ["period_kind = 'kvartal'"]
    keys = ", ".join(("reporting_quarter", *by))
    rows = city.rows(f"select {keys}, {column} as figure from marts.{mart} where {' and '.join(conditions)}")
    return {
        key: value for *key_parts, value in (tuple(r.values()) for r in rows) if value and (key := tuple(key_parts))
    }


@pytest.mark.parametrize("part", ["numerator", "denominator"])
@pytest.mark.parametrize("name", sorted(OF_GOALS))
def test_a_ratio_of_cases_or_care_has_the_indicators_parts(
    city: Warehouse, semantics: Semantics, name: str, part: str
) -> None:
    metric = getattr(semantics.metrics[name].type_params, part).name
    for by in [(), ("sex",), ("sex", "age_band"), ("socioeconomic", "pilot")]:
        mart = mart_figures(city, "mart_goal_indicators", part, by, indicator_code=name)
        assert mart
        assert asked(city, semantics, metric, by) == mart


@pytest.mark.parametrize("name", sorted(OF_GOALS))
def test_todays_division_is_the_districts_unit_of_today(city: Warehouse, semantics: Semantics, name: str) -> None:
    mart = mart_figures(
        city,
        "mart_goal_indicators",
        "denominator",
        ("district_code",),
        None,
        district_basis="today",
        indicator_code=name,
    )
    by_unit = asked(city, semantics, f"{name}_denominator", ("district__current_district_code",))
    assert by_unit == mart
    assert {unit for _, unit in by_unit} == {"farsta", "hagersten-alvsjo"}


@pytest.mark.parametrize("name", ["offer_rate", "acceptance_rate", "child_heard_rate", "school_contacted_rate"])
def test_a_ratio_can_be_broken_down_as_the_case_flow_is(city: Warehouse, semantics: Semantics, name: str) -> None:
    for by in [("reason_side",), ("source_code",), ("intervention_category", "sex"), ("history",)]:
        for part in ("numerator", "denominator"):
            mart = mart_figures(city, "mart_case_flow", f"{name}_{part}", by, cohort_basis="avslutad")
            assert mart
            assert asked(city, semantics, f"{name}_{part}", by) == mart


def test_counts_are_the_marts(city: Warehouse, semantics: Semantics) -> None:
    flow = {
        "inkommen": ["cases", "persons"], "avgjord": ["decided", "investigations"],
        "avslutad": ["concluded", "offered", "accepted"],
    }  # fmt: skip
    wanted = {
        name: mart_figures(city, "mart_case_flow", name, cohort_basis=basis)
        for basis, names in flow.items()
        for name in names
    }
    wanted |= {
        f"investigation_rate_of_received_{part}": mart_figures(
            city, "mart_case_flow", f"investigation_rate_{part}", cohort_basis="inkommen"
        )
        for part in ("numerator", "denominator")
    }
    wanted |= {f"episodes_{e}": mart_figures(city, "mart_outpatient_care", e) for e in ("decided", "started", "ended")}
    wanted |= {
        f"{name}_{part}": mart_figures(city, "mart_outpatient_care", f"{name}_{part}")
        for name in OF_CARE
        for part in ("numerator", "denominator")
    }
    assert {name for name, figures in wanted.items() if not figures} == set()
    assert {name: asked(city, semantics, name) for name in wanted} == wanted


def whole(days: float) -> int:
    """In whole days, as the marts have them."""
    return math.floor(days + 0.5)


@pytest.mark.parametrize("wait", sorted(WAITS))
def test_mean_waits_are_days_by_number(city: Warehouse, semantics: Semantics, wait: str) -> None:
    days = asked(city, semantics, f"{wait}_mean_days_numerator")
    number = asked(city, semantics, f"{wait}_mean_days_denominator")
    assert number == mart_figures(city, "mart_outpatient_care", f"{wait}_n") != {}
    means = {quarter: whole(days.get(quarter, 0) / count) for quarter, count in number.items()}
    mart = mart_figures(city, "mart_outpatient_care", f"{wait}_mean_days")
    assert {quarter: mean for quarter, mean in means.items() if mean} == pytest.approx(mart)


def test_service_interventions_are_the_marts(city: Warehouse, semantics: Semantics) -> None:
    wanted = {f"services_{n}": n for n in ("started", "completed", "interrupted", "ongoing", "queue")}
    for rate in ("completion_rate", "follow_up_rate"):
        wanted |= {f"service_{rate}_{part}": f"{rate}_{part}" for part in ("numerator", "denominator")}
    figures = {name: mart_figures(city, "mart_service_interventions", column) for name, column in wanted.items()}
    assert {name for name, found in figures.items() if not found} == set()
    assert {name: asked(city, semantics, name) for name in wanted} == figures
    days, number = (asked(city, semantics, f"service_wait_mean_days_{part}") for part in ("numerator", "denominator"))
    means = {quarter: whole(days[quarter] / count) for quarter, count in number.items()}
    assert means == pytest.approx(mart_figures(city, "mart_service_interventions", "wait_mean_days"))


def test_survivors_are_in_the_counts_but_in_no_rate(city: Warehouse, semantics: Semantics) -> None:
    # Farsta's file for 2019Q2 never came; of those received then only the one still open in the next is known.
    assert asked(city, semantics, "decided", ("district__district_label",))["2019Q2", "Farsta"] == 1
    rate = "investigation_rate_denominator"
    assert ("2019Q2", "Farsta") not in asked(city, semantics, rate, ("district__district_label",))
    assert asked(city, semantics, rate, filtered=False)["2019Q2",] == asked(city, semantics, rate)["2019Q2",] + 1


def test_every_ratio_is_compared_and_every_indicator_has_one(semantics: Semantics) -> None:
    services = {"service_completion_rate", "service_follow_up_rate", "service_wait_mean_days"}
    means = {f"{wait}_mean_days" for wait in WAITS}
    assert semantics.ratios == OF_GOALS | OF_CARE | services | means | {"investigation_rate_of_received"}


def test_every_semantic_model_has_a_primary_entity_and_a_time(semantics: Semantics) -> None:
    models = semantics.manifest.semantic_models.values()
    assert [m.name for m in models if not m.defaults.agg_time_dimension] == []
    assert [m.name for m in models if [e.type.value for e in m.entities].count("primary") != 1] == []
    assert [m.name for m in semantics.metrics.values() if not (m.label and m.description)] == []
    labels = [metric.label for metric in semantics.metrics.values()]
    assert sorted({label for label in labels if labels.count(label) > 1}) == []
