"""Charts as SVG: clean under the strictest policy, in both widths and schemes, whatever a name holds."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from portal.figures.drawing import _SCHEMES, Scheme, Width, _chart, size, svg
from portal.figures.pictures import Limits, Mark, Picture

HOSTILE = '<script>alert(1)</script>" onload="x" & \u202e Å'
LIMITS = Limits(0.15, 0.27, 0.12, 0.3)
DOTS = Picture(
    "Andel klara inom 60 dagar, 2018",
    "dots",
    "rate",
    (
        Mark("Bromma", 0.291, "29,1 %", 0.251, 0.334, LIMITS, emphasis="chosen"),
        Mark("Östermalm", 0.354, "35,4 %", 0.299, 0.414, LIMITS, emphasis="sure"),
        Mark(HOSTILE, 0.148, "14,8 %", 0.123, 0.177),
        Mark("Älvsjö", None, "för få"),
    ),
    ("Hela staden 20,9 %", 0.209),
)
BARS = Picture("Så många", "bars", "count", (Mark("Trappan", 13, "13 av 14"), Mark("Komet", 0, "0 av 14")))
EMPTY = Picture("Tomt", "dots", "days", (Mark("Bromma", None, "för få"),))
BESIDE = Picture("Jämfört", "dots", "rate", (Mark("Klara", 0.3, "30 %", 0.2, 0.4, beside=0.2),))
WAYS: list[tuple[Width, Scheme]] = list(product(("smal", "bred"), ("ljus", "mork")))


@pytest.mark.parametrize("picture", [DOTS, BARS, EMPTY, BESIDE], ids=["dots", "bars", "empty", "beside"])
def test_a_chart_is_clean_and_of_its_size(picture: Picture) -> None:
    for width, scheme in WAYS if picture is DOTS else WAYS[1:3]:
        _chart(picture, width, _SCHEMES[scheme]).to_dict()  # raises where it is no valid specification
        drawn = svg(picture, width, scheme)
        root = ET.fromstring(drawn)
        assert (int(root.attrib["width"]), int(root.attrib["height"])) == size(picture, width)
        assert root.attrib["role"] == "img"
        for element in root.iter():
            assert element.tag.rpartition("}")[2] not in ("script", "style", "image", "a", "foreignObject")
            assert not [name for name in element.attrib if name == "style" or name.startswith("on") or "href" in name]
        texts = ["".join(one.itertext()) for one in root.iter() if one.tag.endswith("}text")]
        for mark in picture.marks:
            assert mark.name in texts and mark.text in texts


def test_values_are_swedish_and_said_in_words() -> None:
    root = ET.fromstring(svg(DOTS, "smal", "ljus"))
    texts = ["".join(one.itertext()) for one in root.iter() if one.tag.endswith("}text")]
    assert {"20\u00a0%", "30\u00a0%"} <= set(texts)  # of the axis
    described = next("".join(one.itertext()) for one in root.iter() if one.tag.endswith("}desc"))
    assert described == DOTS.in_words
    assert "Högst: Östermalm 35,4 %. " in described and "Utan värde: 1 av 4" in described
    assert "Vald: Bromma 29,1 %. Säker skillnad: Östermalm 35,4 %." in described
    assert EMPTY.in_words == "Tomt. Inga värden visas."


def test_marks_that_mean_something_have_shapes_of_their_own() -> None:
    root = ET.fromstring(svg(DOTS, "bred", "ljus"))
    colours = _SCHEMES["ljus"]
    shapes: dict[str, set[str]] = {}
    for one in root.iter():
        if one.attrib.get("aria-roledescription") == "point" and one.attrib.get("fill") in (
            colours.plain, colours.chosen, colours.sure,
        ):  # fmt: skip
            shapes.setdefault(one.attrib["fill"], set()).add(one.attrib["d"])
    assert len(shapes) == 3 and len(set.union(*shapes.values())) == 3


def test_readers_draw_at_the_same_time() -> None:
    alone = {way: svg(DOTS, *way) for way in WAYS[:2]}
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda way: (way, svg(DOTS, *way)), WAYS[:2] * 4))
    assert all(alone[way] == one for way, one in drawn)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("scheme", "page"), [("ljus", "#ffffff"), ("mork", "#1b1e23")])
def test_contrasts_are_enough(scheme: Scheme, page: str) -> None:
    colours = _SCHEMES[scheme]
    assert min(_contrast(one, page) for one in (colours.text, colours.soft)) >= 4.5
    for ground in (page, colours.outer, colours.inner):
        assert min(_contrast(one, ground) for one in (colours.plain, colours.chosen, colours.sure, colours.city)) >= 3
