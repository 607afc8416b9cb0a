"""Tidings: a change-notification engine and its receiving half."""

__version__ = "0.1.0"
