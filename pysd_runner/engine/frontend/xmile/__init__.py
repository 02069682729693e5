"""XMILE files."""
