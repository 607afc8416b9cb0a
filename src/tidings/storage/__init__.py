"""Adapters of the Storage port, a folder each."""
