"""Rules: what they compute (arithmetic), how Great Expectations holds them (expectations), and running a suite."""
