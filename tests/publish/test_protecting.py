"""What is hidden so that nothing can be concluded."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from publish.suppression.linked import Linked, NotLinked, components
from publish.suppression.protecting import Protection, Requirement, protect

HEURISTIC = Requirement(optimum_seconds=0)
BOTH = pytest.mark.parametrize("requirement", [Requirement(), HEURISTIC], ids=["optimum", "heuristic"])


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
    names = ("primary", "suppressed", "preferred_shown")
    given = {name: np.zeros(len(values), dtype=np.bool_) for name in names}
    given["primary"] = (values > 0) & (values < 5)
    return Linked(values, csr_matrix(relations), **(given | masks))


def at(*cells: int, size: int = 15) -> NDArray[np.bool_]:
    mask = np.zeros(size, dtype=np.bool_)
    mask[list(cells)] = True
    return mask


def hidden(system: Linked, protection: Protection) -> list[int]:
    return sorted(system.values[protection.suppressed].tolist())


# The 4 × 2 example (A 18 2, B 14 19, C 12 10, D 11 14) is that of the tests of the R package sdcTable: only A's 2 needs
# protection. With it go A's 18, and the row whose two cells are cheapest together: C, 12 and 10.
FOUR_BY_TWO = [[18, 2], [14, 19], [12, 10], [11, 14]]
ROW_B, ROW_C = (3, 4), (6, 7)
"""Their positions: three to a row, the margin last."""


@pytest.mark.parametrize(("requirement", "method"), [(Requirement(), "optimum"), (HEURISTIC, "heuristic")])
def test_protect_hides_the_cheapest_rectangle(requirement: Requirement, method: str) -> None:
    system = linked(FOUR_BY_TWO)
    protection = protect(system, requirement)
    assert hidden(system, protection) == [2, 10, 12, 18]
    assert protection.method == method
    assert protection.is_solved
    assert protection.low[1] == 0
    assert protection.high[1] >= 5


def test_protect_takes_a_zero_as_cover() -> None:
    # With the 3 go 40, and either 60 and 70, or two rows with a zero: the one lets the 3 be more, the other less.
    system = linked([[3, 40], [30, 0], [0, 30], [60, 70]])
    assert hidden(system, protect(system, Requirement())) == [0, 0, 3, 30, 30, 40]


@BOTH
def test_protect_uses_what_is_hidden_already(requirement: Requirement) -> None:
    system = linked(FOUR_BY_TWO, suppressed=at(*ROW_B))
    assert hidden(system, protect(system, requirement)) == [2, 14, 18, 19]


@BOTH
def test_protect_frees_preferred_cells_where_there_is_no_other_solution(requirement: Requirement) -> None:
    system = linked(FOUR_BY_TWO, preferred_shown=~at(1))
    protection = protect(system, requirement)
    assert protection.is_solved
    assert 2 in hidden(system, protection)


@BOTH
def test_protect_keeps_preferred_cells_where_there_is_another_solution(requirement: Requirement) -> None:
    system = linked(FOUR_BY_TWO, preferred_shown=at(*ROW_C))
    assert hidden(system, protect(system, requirement)) == [2, 11, 14, 18]


def test_protect_hides_nothing_where_nothing_needs_it() -> None:
    protection = protect(linked([[18, 12], [14, 19]]), Requirement())
    assert protection.method == "nothing to protect"
    assert not protection.suppressed.any()
    assert protection.is_solved


def test_protect_gives_the_same_one_block_at_a_time_and_two() -> None:
    random = np.random.default_rng(4)
    parts = [linked(random.poisson(9, (40, 30)).tolist()) for _ in range(2)]
    both = Linked(
        np.concatenate([part.values for part in parts]),
        csr_matrix(np.block([[p.relations.toarray() if i == j else np.zeros(p.relations.shape, dtype=np.int64)
                              for j in range(2)] for i, p in enumerate(parts)])),
        *(np.concatenate([getattr(part, name) for part in parts])
          for name in ("primary", "suppressed", "preferred_shown")),
    )  # fmt: skip
    seen: list[tuple[int, int]] = []
    one = protect(both, HEURISTIC, processes=1)
    two = protect(both, HEURISTIC, processes=2, on_block=lambda done, blocks: seen.append((done, blocks)))
    assert (one.suppressed == two.suppressed).all()
    assert seen == [(1, 2), (2, 2)]


def test_components_part_where_cells_are_constant() -> None:
    system = linked(FOUR_BY_TWO)
    # A's two cells; B's margin; D's first cell, in a column with A's.
    assert [part.tolist() for part in components(system.relations, at(0, 1, 5, 9))] == [[0, 1, 9], [5]]


def test_linked_refuses_counts_that_do_not_add_up() -> None:
    system = linked(FOUR_BY_TWO)
    wrong = system.values.copy()
    wrong[0] = 17
    masks = [system.primary, system.suppressed, system.preferred_shown]
    with pytest.raises(NotLinked, match="2 relations"):
        Linked(wrong, system.relations, *masks)


def test_linked_refuses_relations_without_a_whole() -> None:
    none = np.zeros(2, dtype=np.bool_)
    with pytest.raises(NotLinked, match="one −1"):
        Linked(np.zeros(2, dtype=np.int64), csr_matrix(np.array([[1, 1]])), none, none, none)
