"""Rewriting: rules as equations, the engine that applies them, and the pipeline of phases."""
