"""Shipped for tests: a real engine, virtual time, scripted endpoints, suites that adapters pass."""

from tidings.testing.running_engine import Account, Engine, engine

__all__ = ["Account", "Engine", "engine"]
