"""Compiled functions: made from graphs, called with arrays; shared variables that keep values between calls."""
