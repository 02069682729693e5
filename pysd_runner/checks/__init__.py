"""Checks of a model and of its runs: units of every equation, and the behaviour rules beside a model."""
