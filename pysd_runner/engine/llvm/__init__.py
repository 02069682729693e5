"""Runs a lowered model as machine code: vectors over draws or regions, compiled by LLVM."""
