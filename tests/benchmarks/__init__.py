"""Figures, not tests: nothing in here runs with the suite."""
