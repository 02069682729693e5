"""Utilities for all other packages: errors, findings, paths of shipped models, number formatting, parallel work."""
