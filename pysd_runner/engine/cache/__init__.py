"""Lowered models and compiled code on disk, shared by processes."""
