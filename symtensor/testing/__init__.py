"""Checks for authors of ops and rules: derivatives against differences, ops against their promises."""

import ml_dtypes  # noqa: F401  # gives NumPy the name bfloat16: checks try every dtype by its name
