"""Storage on PostgreSQL: ports.Storage for any number of processes (extra `postgres`)."""

from tidings.storage.postgres.observed import Server, look_at_database
from tidings.storage.postgres.schema import migrate_database, schema_state_of_database
from tidings.storage.postgres.storage import CAPABILITIES, PostgresStorage, open_postgres

__all__ = [
    "CAPABILITIES",
    "PostgresStorage",
    "Server",
    "look_at_database",
    "migrate_database",
    "open_postgres",
    "schema_state_of_database",
]
