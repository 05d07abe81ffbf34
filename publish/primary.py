"""Which cells need protection by themselves, and which are rather shown than hidden."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from publish.policy import Policy
from publish.sums import CITY
from publish.tables import Tables


def needs_protection(cells: pd.DataFrame, tables: Tables, policy: Policy) -> NDArray[np.bool_]:
    """The cells that need protection, in the order of `cells` (with complements; `publish.sums.COLUMNS`).

    A count of 1 to threshold − 1, a complement as well; and a rate's numerator, or what is left of its denominator,
    where it is 0 of a group that is told by a dimension of group disclosure (0 % and 100 %), however large.
    """
    value = cells["value"].to_numpy()
    small = (value > 0) & (value < policy.threshold)
    needs: NDArray[np.bool_] = (small | _of_all_or_none(cells, tables, policy)) & cells["is_protecting"].to_numpy(bool)
    return needs


def _of_all_or_none(cells: pd.DataFrame, tables: Tables, policy: Policy) -> NDArray[np.bool_]:
    at = {key: number for number, key in enumerate(cells["key"])}
    value = cells["value"].to_numpy()
    columns = {column for name in policy.group_disclosure for column in tables.columns_of(name)}
    is_told = np.array([any(code.split("=")[0] in columns for code in codes.split(",")) for codes in cells["codes"]])
    found = np.zeros(len(cells), dtype=bool)
    place = cells["key"].str.split("|", n=1).str[1]
    for part in tables.parts:
        if not part.protects:
            continue
        of_part = np.flatnonzero(is_told & (cells["measure"] == part.part).to_numpy())
        for number in of_part:
            whole = at.get(f"{part.whole}|{place.iloc[number]}")
            rest = at.get(f"{part.whole}−{part.part}|{place.iloc[number]}")
            if whole is None or rest is None or not value[whole]:
                continue
            found[number] |= not value[number]
            found[rest] |= not value[rest]
    return found


def rather_shown(cells: pd.DataFrame, policy: Policy) -> NDArray[np.bool_]:
    """Totals, the city by one dimension, and large values: hidden only where there is no solution without."""
    dimensions = cells["codes"].str.count(",") + (cells["codes"] != "")
    is_city = cells["geography"] == CITY
    wanted = (dimensions == 0) | (is_city & (dimensions <= 1)) | (cells["value"] >= policy.large_value)
    found: NDArray[np.bool_] = (wanted & ~cells["is_internal"]).to_numpy(dtype=bool)
    return found
