"""Fitting of models: the calibration problem, derivatives of the model, staged searches, and stored results."""
