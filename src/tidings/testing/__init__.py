"""Shipped for tests: virtual time, scripted endpoints, and the suites that adapters must pass."""
