"""Modules that Theano has under this name."""
