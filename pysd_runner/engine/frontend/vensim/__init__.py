"""Vensim files."""
