"""Checks for authors of ops and rules: derivatives against differences, ops against their promises."""
