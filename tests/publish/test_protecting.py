"""What is hidden so that nothing can be concluded."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import block_diag, csr_matrix, eye, hstack, vstack

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
    names = ("primary", "internal", "suppressed", "sealed", "preferred_shown")
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
def test_protect_leaves_what_is_sealed_as_shown(requirement: Requirement) -> None:
    system = linked(FOUR_BY_TWO, sealed=at(*ROW_C))
    # The next cheapest: D (11 and 14) rather than B (14 and 19).
    assert hidden(system, protect(system, requirement)) == [2, 11, 14, 18]


@BOTH
def test_protect_uses_what_is_hidden_already(requirement: Requirement) -> None:
    system = linked(FOUR_BY_TWO, suppressed=at(*ROW_B), sealed=at(*ROW_B))
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


@BOTH
def test_protect_reports_what_has_no_solution(requirement: Requirement) -> None:
    system = linked(FOUR_BY_TWO, sealed=~at(0, 1))
    protection = protect(system, requirement)
    assert not protection.is_solved
    assert protection.unsolved.tolist() == [1]
    assert protection.method == "heuristic"


@BOTH
def test_protect_reports_a_primary_cell_that_was_shown_before(requirement: Requirement) -> None:
    protection = protect(linked(FOUR_BY_TWO, sealed=at(1)), requirement)
    assert protection.unsolved.tolist() == [1]
    assert not protection.suppressed.any()


def test_protect_hides_nothing_where_nothing_needs_it() -> None:
    protection = protect(linked([[18, 12], [14, 19]]), Requirement())
    assert protection.method == "nothing to protect"
    assert not protection.suppressed.any()
    assert protection.is_solved


@BOTH
def test_protect_covers_a_complement_that_is_never_published(requirement: Requirement) -> None:
    # Wholes 12 and 30, parts 10 and 5, so 2 and 25 without: the 2 can be worked out unless a 12 or 10 is hidden.
    values = np.array([12, 30, 42, 10, 5, 15, 2, 25, 27])
    relations = np.zeros((6, 9), dtype=np.int64)
    for number, first in enumerate((0, 3, 6)):
        relations[number, [first, first + 1, first + 2]] = 1, 1, -1
        relations[number + 3, [number, number + 3, number + 6]] = -1, 1, 1
    internal = at(6, 7, 8, size=9)
    system = Linked(values, csr_matrix(relations), at(6, size=9), internal, *(np.zeros((3, 9), dtype=np.bool_)))
    protection = protect(system, requirement)
    assert protection.is_solved
    assert not protection.suppressed[internal].any()
    assert hidden(system, protection) == [5, 10]
    assert (protection.low[6], protection.high[6] >= 5) == (0, True)


def test_protect_gives_the_same_one_block_at_a_time_and_two() -> None:
    random = np.random.default_rng(4)
    parts = [linked(random.poisson(9, (40, 30)).tolist()) for _ in range(2)]
    both = Linked(
        np.concatenate([part.values for part in parts]),
        csr_matrix(np.block([[p.relations.toarray() if i == j else np.zeros(p.relations.shape, dtype=np.int64)
                              for j in range(2)] for i, p in enumerate(parts)])),
        *(np.concatenate([getattr(part, name) for part in parts])
          for name in ("primary", "internal", "suppressed", "sealed", "preferred_shown")),
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
    masks = [system.primary, system.internal, system.suppressed, system.sealed, system.preferred_shown]
    with pytest.raises(NotLinked, match="2 relations"):
        Linked(wrong, system.relations, *masks)


def test_linked_refuses_relations_without_a_whole() -> None:
    none = np.zeros(2, dtype=np.bool_)
    with pytest.raises(NotLinked, match="one −1"):
        Linked(np.zeros(2, dtype=np.int64), csr_matrix(np.array([[1, 1]])), none, none, none, none, none)


# Wholes and parts of them, cell by cell, with what is left as a cell of its own: two tables that hang together.


def part_of(whole: Linked, part: Linked) -> Linked:
    """Both tables, and the rest of each cell: wholes, then parts, then rests."""
    count = len(whole.values)
    rests = hstack([-eye(count), eye(count), eye(count)])
    both = block_diag([whole.relations, part.relations])
    relations = vstack([hstack([both, csr_matrix((both.shape[0], count))]), rests])
    values = np.concatenate([whole.values, part.values, whole.values - part.values])
    masks = {
        name: np.concatenate([getattr(whole, name), getattr(part, name), np.zeros(count, dtype=np.bool_)])
        for name in ("primary", "suppressed", "sealed", "preferred_shown")
    }
    return Linked(values, csr_matrix(relations.astype(np.int64)), internal=np.arange(len(values)) >= 2 * count, **masks)


def truly_possible(system: Linked, protection: Protection) -> NDArray[np.float64]:
    """The least and the greatest that each cell can be, by linear programs over all relations."""
    unknown = protection.suppressed | system.internal
    limits = [(0, None) if free else (v, v) for free, v in zip(unknown, system.values.tolist(), strict=True)]
    found = np.repeat(system.values[:, None].astype(float), 2, axis=1)
    for cell in np.flatnonzero(unknown):
        for side, sign in enumerate((1, -1)):
            cost = np.zeros(len(limits))
            cost[cell] = sign
            solved = linprog(cost, A_eq=system.relations, b_eq=np.zeros(system.relations.shape[0]), bounds=limits)
            found[cell, side] = sign * solved.fun
    return found


@pytest.mark.parametrize(("rest", "blocks"), [(24, 2), (23, 1)])
def test_protect_parts_from_wholes_only_where_no_witness_comes_near_the_rest(rest: int, blocks: int) -> None:
    parts = [[30, 3], [50, 40], [20, 60], [70, 80]]
    wholes = [[value + rest for value in row] for row in parts]
    # The 3 needs protection; of the wholes the first of the second row is hidden already, and needs to stay wide.
    system = part_of(linked(wholes, suppressed=at(3)), linked(parts))
    asked: list[int] = []
    protection = protect(system, HEURISTIC, on_block=lambda _, total: asked.append(total))
    assert protection.is_solved and set(asked) == {blocks}
    possible = truly_possible(system, protection)
    assert (protection.low >= possible[:, 0] - 1e-6).all() and (protection.high <= possible[:, 1] + 1e-6).all()
    assert protection.low[16] == 0 and protection.high[16] >= 5
