"""The command line: one verb a file (contract 3.3)."""

from tidings.cli.app import main

__all__ = ["main"]
