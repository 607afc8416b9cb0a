"""Use cases and workers: they know the ports and the domain, never an adapter."""
