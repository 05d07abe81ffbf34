"""Cell keys: which figure a count gets, what changes it, and what must not."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from publish.cell_keys import keys as keys_module
from publish.cell_keys.keys import NOTHING, CellKeys, Group, Total, content_salts, measure_ids, shared_salts
from publish.cell_keys.noise import publish_counts, uniforms
from publish.cell_keys.ptable import make_ptable

SECRET = bytes(range(32))
TABLE = make_ptable(4, 7, 2.0)


def some_keys(n: int, seed: int = 0, salt: int = 17) -> CellKeys:
    drawn = np.random.default_rng(seed).integers(0, 2**32, n, dtype=np.uint32)
    return CellKeys.of("avslutad.offered", salt, drawn)


@given(
    st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32)
)
def test_uniform_is_the_upper_bits_of_aes_of_the_cell_s_block(
    measure: int, salt: int, key_sum: int, secret: bytes
) -> None:
    block = measure.to_bytes(4, "little") + salt.to_bytes(8, "little") + key_sum.to_bytes(4, "little")
    enciphered = Cipher(algorithms.AES(secret), modes.ECB()).encryptor().update(block)
    right = int.from_bytes(enciphered[:8], "little") >> 11
    one = CellKeys.of(np.array([measure], np.uint32), np.array([salt], np.uint64), np.array([key_sum], np.uint32))
    assert uniforms(one, secret).tolist() == [right]


def test_figures_are_the_same_on_every_machine_and_in_every_version() -> None:
    cells = CellKeys.of("avslutad.offered", 17, np.arange(12, dtype=np.uint32))
    published = publish_counts(np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 20, 300, 5000]), cells, TABLE, SECRET)
    assert published.tolist() == [0, 0, 0, 5, 5, 5, 7, 7, 8, 20, 298, 5001]


def test_figures_keep_to_the_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["publish.cell_keys.noise"], "_AT_ONCE", 999)  # several rounds
    counts = np.random.default_rng(1).poisson(5, 20_000)
    cells = some_keys(len(counts))
    published = publish_counts(counts, cells, TABLE, SECRET)
    assert not np.isin(published, [1, 2, 3, 4]).any() and (published[counts == 0] == 0).all()
    assert np.abs(published - counts).max() <= 7
    for true in range(1, 12):  # the mean of draws is within five standard errors
        off = (published - counts)[counts == true]
        assert abs(off.mean()) < 5 * np.sqrt(TABLE.row(true).variance / len(off))
    again = publish_counts(counts[::-1], cells.take(np.arange(len(counts))[::-1]), TABLE, SECRET)
    assert (again[::-1] == published).all()  # a figure depends on its own cell alone


@pytest.mark.parametrize("changed", ["measure", "salt", "key_sum", "secret"])
def test_each_part_of_the_key_draws_anew(changed: str) -> None:
    counts, drawn = np.full(4000, 40), np.random.default_rng(2).integers(0, 2**32, 4000, dtype=np.uint32)
    before = publish_counts(counts, CellKeys.of("a", 1, drawn), TABLE, SECRET)
    after = publish_counts(
        counts,
        CellKeys.of(
            "b" if changed == "measure" else "a",
            2 if changed == "salt" else 1,
            drawn ^ np.uint32(1) if changed == "key_sum" else drawn,
        ),
        TABLE,
        bytes(32) if changed == "secret" else SECRET,
    )
    # Two draws that know nothing of each other: the same figure in Σ p² of cases, 0.199, give or take 5 × 0.0063.
    row = np.array(TABLE.row(40).weights) / 2**53
    assert np.mean(before == after) == pytest.approx(np.sum(row**2), abs=0.032)
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.08


@pytest.mark.parametrize("counts", [[-1, 2], [1.0, 2.0], [np.nan, 2.0], [1], [[1, 2]], [1, None], ["1", "2"]])
def test_counts_that_are_none_are_refused(counts: list[object]) -> None:
    with pytest.raises(ValueError, match="counts must be whole numbers"):
        publish_counts(np.array(counts), some_keys(2), TABLE, SECRET)


@pytest.mark.parametrize("key_sum", [[-1], [2**32], [1.0], [None], [np.nan]])
def test_a_key_that_is_missing_or_out_of_range_is_refused(key_sum: list[object]) -> None:
    with pytest.raises(ValueError, match="part of cell keys"):
        CellKeys.of("a", 1, np.array(key_sum))
    with pytest.raises(ValueError, match="uint32"):
        CellKeys(np.zeros(1, np.uint32), np.zeros(1, np.uint64), np.zeros(1, np.int64))


def test_a_secret_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="noise secret has 16 bytes"):
        publish_counts(np.array([5]), some_keys(1), TABLE, bytes(16))
    assert publish_counts(np.array([], np.int64), some_keys(0), TABLE, SECRET).tolist() == []


def test_measures_of_the_same_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(measure_ids(["avslutad.offered", "avslutad.accepted", "avslutad.offered"])) == 2
    monkeypatch.setattr(keys_module, "measure_id", lambda name: 7)
    with pytest.raises(ValueError, match="a and b have the same id"):
        measure_ids(["a", "a", "b"])


# salts

GROUP = Group("avslutad", "bromma", "as_submitted", "kvartal", "2018Q3")
CITY = Group("avslutad", "stockholm", "today", "ar", "2018")
OFFERED, ACCEPTED = Total(GROUP, "avslutad.offered", 12, 99), Total(GROUP, "avslutad.accepted", 7, 55)


def test_salt_changes_exactly_when_something_counted_has_changed() -> None:
    salt = content_salts([OFFERED, ACCEPTED], SECRET)[GROUP]
    assert content_salts([ACCEPTED, OFFERED], SECRET) == {GROUP: salt}
    others = [
        [OFFERED, Total(GROUP, "avslutad.accepted", 8, 55)],  # as many keys, one more record whose key is 0
        [OFFERED, Total(GROUP, "avslutad.accepted", 7, 56)],  # another record
        [Total(GROUP, "avslutad.offered", 7, 55), Total(GROUP, "avslutad.accepted", 12, 99)],
        [OFFERED],
    ]
    salts = {content_salts(one, SECRET)[GROUP] for one in others} | {
        content_salts([OFFERED, ACCEPTED], bytes(32))[GROUP]
    }
    assert len(salts | {salt}) == 6 and NOTHING not in salts


def test_measures_of_a_family_are_drawn_anew_together_and_other_groups_stay() -> None:
    # A record is corrected: it was accepted and is not. Were the salt the measure's own, `offered` would stay as it
    # is, and what moved would say what has become of the child.
    other = Total(Group("avslutad", "farsta", "as_submitted", "kvartal", "2018Q3"), "avslutad.offered", 12, 99)
    before = content_salts([OFFERED, ACCEPTED, other], SECRET)
    after = content_salts([OFFERED, Total(GROUP, "avslutad.accepted", 6, 21), other], SECRET)
    assert before[GROUP] != after[GROUP] and before[other.group] == after[other.group]


def test_same_records_have_the_same_salt_in_every_unit_basis_and_period() -> None:
    totals = [OFFERED, Total(CITY, OFFERED.measure, OFFERED.count, OFFERED.key_sum)]
    assert len(set(content_salts(totals, SECRET).values())) == 1


def test_group_of_nothing_has_no_salt() -> None:
    assert content_salts([Total(GROUP, "a", 0, 0), Total(GROUP, "b", 0, 0)], SECRET) == {GROUP: NOTHING}


@pytest.mark.parametrize("wrong", [Total(GROUP, "a", 1, 1), Total(GROUP, "b", -1, 1), Total(GROUP, "b", 1, 2**32)])
def test_totals_that_can_t_be_are_refused(wrong: Total) -> None:
    with pytest.raises(ValueError, match="there twice, or its count or key sum"):
        content_salts([Total(GROUP, "a", 1, 1), wrong], SECRET)


def test_cells_that_count_the_same_records_get_one_figure() -> None:
    # Three children of one quarter, alone in four rolling years and the year, of a district and of the city.
    ranks = [0, 1, 1, 1, 1, 2, 3, 4]
    alone = CellKeys.of("a", np.arange(101, 109, dtype=np.uint64), np.full(8, 7, np.uint32))
    apart = publish_counts(np.full(8, 3), alone, TABLE, SECRET)
    assert len(set(apart.tolist())) == 2  # eight draws: 0 and 5, which average to 3
    others = CellKeys.of("b", np.arange(201, 204, dtype=np.uint64), np.array([7, 8, 8], np.uint32))
    everything = CellKeys(*(np.concatenate([getattr(c, part) for c in (others, alone)]) for part in vars(alone)))
    shared = shared_salts(everything, np.array([0, 5, 4, *ranks]))
    assert shared.salt.tolist() == [201, 203, 203, *[101] * 8]
    assert (shared.measure == everything.measure).all() and (shared.key_sum == everything.key_sum).all()
    assert len(set(publish_counts(np.full(11, 3), shared, TABLE, SECRET)[3:].tolist())) == 1
    assert len(shared_salts(some_keys(0), 0)) == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 5), st.integers(0, 2)), max_size=12))
def test_shared_salts_are_those_of_the_lowest_rank(cells: list[tuple[int, int, int, int]]) -> None:
    measure, key_sum, salt, rank = np.array(cells, np.uint64).reshape(-1, 4).T
    found = shared_salts(CellKeys.of(measure, salt, key_sum), rank).salt.tolist()
    lowest = {}
    for m, k, s, _ in sorted(cells, key=lambda one: (one[3], one[2])):
        lowest.setdefault((m, k), s)
    assert found == [lowest[m, k] for m, k, _, _ in cells]
