"""Runs a lowered model with NumPy: portable, readable, the oracle of the other target."""
