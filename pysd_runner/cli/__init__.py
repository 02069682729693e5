"""The command line: parses options, calls the package and writes results; nothing is computed here."""

from pysd_runner.cli.application import main

__all__ = ["main"]
