"""Measured effects: what they were, and what the model implies for the same experiments."""
