"""Storage: the shipped contract on real files, and what is SQLite's own."""
