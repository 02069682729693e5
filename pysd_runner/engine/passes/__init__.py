"""Passes over the intermediate representation: evaluation order, integration, derivatives, shared expressions."""
