"""The engine in virtual time, on a real SQLite file, with endpoints that do as they are told."""
