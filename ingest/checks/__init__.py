"""Rules of datasets: `suites` loads and runs them, `expectations` declares their kinds, `arithmetic` computes them."""
