"""Derivatives: graphs made from graphs, in reverse and forward mode, of any order."""
