"""Intervals and tests in which the episode is the unit (numpy and scipy only)."""
