"""What is hidden so that nothing can be concluded."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from publish.linked import Linked, NotLinked, components
from publish.protecting import Protection, Requirement, protect

HEURISTIC = Requirement(optimum_seconds=0)


def linked(inner: list[list[int]], **masks: NDArray[np.bool_]) -> Linked:
    """A table of two dimensions with its margins as the last row and column; counts 1 to 4 are primary."""
    table = np.array(inner, dtype=np.int64)
    table = np.vstack([table, table.sum(axis=0)])
    table = np.hstack([table, table.sum(axis=1, keepdims=True)])
    at = np.arange(table.size).reshape(table.shape)
    sums = [(row[-1], row[:-1]) for row in at] + [(column[-1], column[:-1]) for column in at.T]
    relations = np.zeros((len(sums), table.size), dtype=np.int64)
    for number, (whole, parts) in enumerate(sums):
        relations[number, whole], relations[number, parts] = -1, 1
    values = table.ravel()
    given = {name: np.zeros(len(values), dtype=np.bool_) for name in ("internal", "suppressed", "sealed")}
    given["preferred_shown"] = given["primary"] = np.zeros(len(values), dtype=np.bool_)
    given["primary"] = (values > 0) & (values < 5)
    return Linked(values, csr_matrix(relations), **(given | masks))


def hidden(system: Linked, protection: Protection) -> list[int]:
    return sorted(system.values[protection.suppressed].tolist())


# The 4 × 2 example (A 18 2, B 14 19, C 12 10, D 11 14) is that of the tests of the R package sdcTable: only A's 2 needs
# protection. With it go A's 18, and the row whose two cells are cheapest together: C, 12 and 10.
FOUR_BY_TWO = [[18, 2], [14, 19], [12, 10], [11, 14]]


@pytest.mark.parametrize(("requirement", "method"), [(Requirement(), "optimum"), (HEURISTIC, "heuristic")])
def test_protect_hides_the_cheapest_rectangle(requirement: Requirement, method: str) -> None:
    system = linked(FOUR_BY_TWO)
    protection = protect(system, requirement)
    assert hidden(system, protection) == [2, 10, 12, 18]
    assert protection.method == method
    assert protection.is_solved


def test_components_part_where_cells_are_constant() -> None:
    system = linked(FOUR_BY_TWO)
    free = np.zeros(15, dtype=np.bool_)
    free[[0, 1, 5, 9]] = True  # A's two cells; B's margin; D's first cell alone, in a column with A's
    assert [part.tolist() for part in components(system.relations, free)] == [[0, 1, 9], [5]]


def test_linked_refuses_counts_that_do_not_add_up() -> None:
    system = linked(FOUR_BY_TWO)
    wrong = system.values.copy()
    wrong[0] = 17
    masks = [system.primary, system.internal, system.suppressed, system.sealed, system.preferred_shown]
    with pytest.raises(NotLinked, match="2 relations"):
        Linked(wrong, system.relations, *masks)
