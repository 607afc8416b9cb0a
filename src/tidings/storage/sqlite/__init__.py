"""Storage on one SQLite file: ports.Storage for a single server, with nothing to install."""

from tidings.storage.sqlite.schema import migrate_file, schema_state_of_file
from tidings.storage.sqlite.storage import CAPABILITIES, SqliteStorage, open_sqlite

__all__ = ["CAPABILITIES", "SqliteStorage", "migrate_file", "open_sqlite", "schema_state_of_file"]
