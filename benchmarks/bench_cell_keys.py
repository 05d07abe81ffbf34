"""How long it takes to publish 20 million counts by their cell keys, and the memory for it."""

from __future__ import annotations

import resource
import time

import numpy as np

from publish.cell_keys.keys import CellKeys, shared_salts
from publish.cell_keys.noise import publish_counts
from publish.cell_keys.ptable import make_ptable
from publish.policy import load_policy

CELLS = 20_000_000


def main() -> None:
    """Print seconds for the p-table, the counts and the sharing of salts."""
    policy, drawn = load_policy().cell_keys, np.random.default_rng(1)
    begun = time.perf_counter()
    ptable = make_ptable(policy.js, policy.greatest_deviation, policy.variance)
    print(f"p-table: {time.perf_counter() - begun:.3f} s")
    counts = drawn.poisson(3, CELLS)
    salts = drawn.integers(1, 2**63, CELLS, dtype=np.uint64)
    cells = CellKeys.of("avslutad.offered", salts, drawn.integers(0, 2**32, CELLS, dtype=np.uint32))
    begun = time.perf_counter()
    published = publish_counts(counts, cells, ptable, bytes(32))
    seconds = time.perf_counter() - begun
    print(f"{CELLS:,} counts: {seconds:.1f} s, mean deviation {np.abs(published - counts).mean():.2f}")
    begun = time.perf_counter()
    shared_salts(cells, np.zeros(CELLS, np.uint8))
    print(f"salts shared among them: {time.perf_counter() - begun:.1f} s")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, input and output among it")


if __name__ == "__main__":
    main()
