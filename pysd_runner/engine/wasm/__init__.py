"""Compiles a lowered model to a WebAssembly module: the program of the compiled engine, for browsers."""
