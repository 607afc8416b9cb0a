"""The measurements that need a PostgreSQL, which they start themselves, with full durability."""
