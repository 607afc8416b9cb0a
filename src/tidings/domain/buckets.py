"""Buckets and the ids that carry them (mechanics L1).

A bucket is the unit of ordering, of leases and of spreading over machines. It is computed, never
stored as an assignment, so every process of every version agrees on it for ever.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from functools import lru_cache

BUCKETS = 256
"""How many buckets there are; fixed for ever, since positions are ordered within one."""

_WEBHOOK_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""A UUIDv8 as `new_webhook_id` prints it."""


WEBHOOK_NUMBER_BYTES = 6
"""Random bytes that a callback webhook's id takes."""
_SMALLEST_NUMBER = 1 << 52


@lru_cache(maxsize=65_536)
def bucket_of(account: str, solution: str) -> int:
    """Return the bucket, 0..255, of a solution of an account.

    The first 8 bits of SHA-256 over the length-prefixed pair: the prefix keeps ("ab", "c") and
    ("a", "bc") apart, and Python's own `hash()` is salted a process.
    """
    digest = hashlib.sha256()
    for part in (account.encode(), solution.encode()):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()[0]


def lane_of(bucket: int, lanes: int) -> int:
    """Return the lane whose appender commits this bucket (mechanics L3)."""
    return bucket % lanes


def new_webhook_id(bucket: int, entropy: bytes) -> str:
    """Make a webhook id: a UUIDv8 whose first byte is the bucket.

    `entropy` is 15 random bytes. RFC 9562 leaves UUIDv8's payload to the maker; carrying the
    bucket lets a method that is given only an id name its bucket.
    """
    if len(entropy) != 15:
        raise ValueError(f"a webhook id takes 15 bytes of entropy, not {len(entropy)}")
    raw = bytearray([bucket, *entropy])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def bucket_of_webhook(webhook_id: str) -> int | None:
    """Return the bucket that a webhook id carries, or None if it is no webhook id of ours."""
    return int(webhook_id[:2], 16) if _WEBHOOK_ID.fullmatch(webhook_id) else None


def new_webhook_number(bucket: int, entropy: bytes) -> int:
    """Make a callback webhook's id: a number of 53 bits whose lowest byte is the bucket.

    `entropy` is 6 random bytes, of which 44 bits are used. The highest bit is always set, so all
    of them have 16 digits, and none is over 2^53 - 1 (contract 2.1).
    """
    if len(entropy) != WEBHOOK_NUMBER_BYTES:
        raise ValueError(f"a webhook number takes 6 bytes of entropy, not {len(entropy)}")
    return _SMALLEST_NUMBER | int.from_bytes(entropy) >> 4 << 8 | bucket


def bucket_of_number(number: int) -> int | None:
    """Return the bucket that a callback webhook's id carries, or None if it is none of ours."""
    return number & 0xFF if _SMALLEST_NUMBER <= number < 2 * _SMALLEST_NUMBER else None


def new_uuid(entropy: bytes) -> str:
    """Make a random UUID (version 4) of 16 bytes of entropy."""
    return str(uuid.UUID(bytes=entropy, version=4))
