"""Loops and branches as users write them: Theano's `scan`, its views `map`, `reduce`, `foldl` and `foldr`."""
