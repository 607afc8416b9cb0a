"""The API over ASGI, on a real SQLite file: no server process, no sockets."""
