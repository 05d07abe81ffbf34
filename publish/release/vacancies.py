"""Free seats from published figures: seats less those registered as published, and the queue as published."""

from __future__ import annotations

import numpy as np

from publish.release.deriving import Published
from publish.release.periods import TOTAL

SEATS_DISTRICT = "seats_district_code"


def derive_vacancies(found: Published) -> None:
    """Add `own_seats_free`, `seats_free`, `places_possible` and `districts_with_seats`.

    A row of `alla` has the sums of the rows of the districts with seats. A row whose district has no free seat by the
    published figures is left out, by a queue of 0.
    """
    rows = found.rows
    own = np.maximum(rows.ints("own_seats__planned") - found.counts["own_seats__registered"], 0)
    free = np.maximum(rows.ints("seats__planned") - found.counts["seats__registered"], 0)
    is_total = rows.where(SEATS_DISTRICT, TOTAL)
    is_there = ~is_total & (free > 0)
    groups = _groups(found)
    sums = np.zeros((2, groups.max(initial=-1) + 1), np.int64)
    np.add.at(sums[0], groups[is_there], free[is_there])
    np.add.at(sums[1], groups[is_there], 1)
    found.counts["own_seats_free"] = own
    found.counts["seats_free"] = np.where(is_total, sums[0][groups], free)
    found.counts["districts_with_seats"] = np.where(is_total, sums[1][groups], 1)
    found.counts["queue"] = np.where(is_total | is_there, found.counts["queue"], 0)
    found.counts["places_possible"] = np.minimum(found.counts["queue"], found.counts["seats_free"])


def _groups(found: Published) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Of each row the number of its district, quarter and intervention."""
    rows = found.rows
    columns = [name for name in (*rows.mart.keys, *rows.mart.columns_of_dimensions) if name != SEATS_DISTRICT]
    table = np.stack([rows.codes(name)[0] for name in columns]) if len(rows) else np.zeros((len(columns), 0), np.int32)
    return np.unique(table, axis=1, return_inverse=True)[1].reshape(-1)
