"""Writes a model as one HTML page that runs it: a module for the browser, baked draws, and sliders."""
