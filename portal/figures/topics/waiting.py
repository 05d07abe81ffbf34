"""How long families wait, and how long an investigation takes."""

from __future__ import annotations

from portal.figures.choices import Asked, district_choice, label_choice, period_choice, period_of
from portal.figures.comparing import Measure, section
from portal.figures.sections import Content, Section, nothing
from publish.views.declared import PERIOD

BASE = "vy_vantetider"
INVESTIGATIONS = "vy_utredningstider"
_TESTED = {
    "service": "service_wait_mean",
    "assessed": "assessed_wait_mean",
    "youth_clinic": "youth_clinic_wait_mean",
    "parenting_programme": "parenting_programme_wait_mean",
}
MEDIAN = Measure(
    "utredning",
    "Utredningstid",
    "median_med_pagaende_dagar",
    "{where} tog hälften av utredningarna högst {value}",
    "mediantiden för en utredning",
    counted="paborjade_utredningar",
)


def wait_measure(code: str, label: str) -> Measure:
    """The measure of a kind of wait."""
    said = label[:1].lower() + label[1:]
    return Measure(
        f"vantan-{code.replace('_', '-')}",
        f"Väntan på {said}",
        "medel_dagar",
        f"{{where}} väntade man i medeltal {{value}} på {said}",
        f"medelväntetiden till {said}",
        _TESTED.get(code, ""),
        "antal",
    )


def build(asked: Asked) -> Content:
    """The page of waiting."""
    release = asked.release
    period = period_of(asked, BASE, "medel_dagar")
    kinds = release.distinct(period.view.name, "vantan_pa") if period else ()
    choices = (
        period_choice(asked, (BASE, INVESTIGATIONS)),
        district_choice(asked, (BASE, INVESTIGATIONS)),
        label_choice(asked, "vantan", "Väntan på", "dim_wait_kind", kinds, "Alla"),
    )
    district, only = choices[1].chosen_label, choices[2].chosen_label
    sections: list[Section] = []
    for option in choices[2].options:
        if period is None or not option.value or (only and option.label != only):
            continue
        rows = release.rows(period.view, {PERIOD: period.label, "vantan_pa": option.label})
        if rows:
            measure = wait_measure(option.value, option.label)
            sections.append(section(asked, period, rows, measure, BASE, district))
    if not sections:
        sections.append(nothing("vantan", "Väntetider", BASE))
    of_investigations = period_of(asked, INVESTIGATIONS, MEDIAN.column)
    if not only and of_investigations is not None:
        rows = release.rows(of_investigations.view, {PERIOD: of_investigations.label})
        sections.append(section(asked, of_investigations, rows, MEDIAN, INVESTIGATIONS, district))
    return Content("Väntetider", sections[0].finding, choices, tuple(sections), district)
