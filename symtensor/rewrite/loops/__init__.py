"""Loops made smaller: what each step of the pass over loops does, see `rules.loops`."""
