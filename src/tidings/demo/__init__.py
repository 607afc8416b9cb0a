"""The demo: a real change history through real processes, killed on the way."""
