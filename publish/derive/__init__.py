"""Figures that are computed from published counts: rates, their intervals, durations."""
