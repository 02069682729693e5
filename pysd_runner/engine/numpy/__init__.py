"""The NumPy engine: portable and readable, the reference for tests of the compiled engine."""
