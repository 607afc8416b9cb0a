"""Tidings: a change-notification engine and its receiving half.

The rooms are the interface: `tidings.client` speaks to a server, `tidings.errors` is what is
raised, `tidings.testing` is for those who write an adapter. ARCHITECTURE.md draws the house.
"""

from tidings.errors import TidingsError

__all__ = ["TidingsError", "__version__"]

__version__ = "0.1.0"
