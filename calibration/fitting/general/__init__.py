"""Calibration of any model on any table of observations; nothing here knows regions."""
