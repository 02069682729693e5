"""The command line: it parses, calls and writes; nothing is computed here."""

from pysd_runner.cli.application import main

__all__ = ["main"]
