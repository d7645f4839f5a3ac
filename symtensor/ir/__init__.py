"""The representation: variables, ops, interned graphs, and what a well-formed one is."""
