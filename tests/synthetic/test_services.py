"""The counts of service interventions, read back from the files alone."""

from __future__ import annotations

from collections import defaultdict

from readback import City, ReadFile

from ingest.districts import load_districts

WAITS = (("vantade_0_7", 0, 7), ("vantade_8_14", 8, 14), ("vantade_15_30", 15, 30), ("vantade_31_90", 31, 90))


def number(value: object) -> int:
    assert isinstance(value, int)
    assert value >= 0
    return value


def stocks(file: ReadFile, column: str) -> dict[tuple[object, object], int]:
    found: defaultdict[tuple[object, object], int] = defaultdict(int)
    for row in file.rows:
        found[row["insats"], row["malgrupp"]] += number(row[column])
    return found


def test_ongoing_follows_from_the_quarter_before_also_across_the_merger(city: City) -> None:
    checked = 0
    for (district, dataset, when), file in city.items():
        earlier = [district, *load_districts().predecessors(district)]
        before = [city[code, dataset, when.previous()] for code in earlier if (code, dataset, when.previous()) in city]
        if dataset != "serviceinsatser" or not before:
            continue
        expected: defaultdict[tuple[object, object], int] = defaultdict(int)
        for part, column, sign in (
            *((previous, "antal_pagaende", 1) for previous in before),
            (file, "antal_nya", 1),
            (file, "antal_fullfoljt", -1),
            (file, "antal_avbrutit", -1),
        ):
            for group, count in stocks(part, column).items():
                expected[group] += sign * count
        ongoing = stocks(file, "antal_pagaende")
        assert {group: count for group, count in expected.items() if count} == {g: c for g, c in ongoing.items() if c}
        checked += len(expected)
    assert checked > 500


def test_counts_agree_within_each_row(city: City) -> None:
    for (_, dataset, _), file in city.items():
        for row in file.rows if dataset == "serviceinsatser" else []:
            new, over = number(row["antal_nya"]), number(row["vantade_over_90"])
            waits = [(number(row[column]), low, high) for column, low, high in WAITS]
            assert sum(count for count, _, _ in waits) + over == new
            days = number(row["vantetid_summa_dagar"])
            assert days >= sum(count * low for count, low, _ in waits) + 91 * over
            assert over or days <= sum(count * high for count, _, high in waits)
            followed = number(row["antal_uppfoljda"])
            assert followed <= number(row["antal_fullfoljt"]) + number(row["antal_avbrutit"])
            if "antal_battre" in row:
                assert sum(number(row[c]) for c in ("antal_battre", "antal_oforandrat", "antal_samre")) <= followed
            assert not new or number(row["antal_samtal"])


def test_rows_are_unique_and_age_fits_the_target_group(city: City) -> None:
    for (_, dataset, _), file in city.items():
        if dataset != "serviceinsatser":
            continue
        keys = [
            tuple(row.get(c) for c in ("insats", "malgrupp", "kon", "aldersgrupp", "hanvisad_fran"))
            for row in file.rows
        ]
        assert len(set(keys)) == len(keys)
        for row in file.rows:
            assert not (row["malgrupp"] == "barn" and row["aldersgrupp"] == "vuxen")
            assert not (row["malgrupp"] == "foralder" and row["aldersgrupp"] not in ("vuxen", "okand"))
