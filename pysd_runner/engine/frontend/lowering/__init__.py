"""Lowers the common tree into the representation every target is built from."""
