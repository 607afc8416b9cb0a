"""Connections to PostgreSQL as the product's are set up, for servers without the product."""

from __future__ import annotations

import asyncpg

_SETTINGS = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}


async def connect(url: str) -> asyncpg.Connection:
    """Open a connection."""
    return await asyncpg.connect(url, server_settings=_SETTINGS)
