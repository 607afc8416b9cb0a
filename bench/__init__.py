"""Benchmarks: each measurement beside its bare ceiling, in the same run (`make bench`)."""
