"""The follower: reads a webhook's events from where it was, and hands each over.

It is told by pings, by a timer, or by the server's answer to a request that waits; its place is
saved in the transaction in which the events are worked on.
"""

from tidings.receiver.follower.async_follower import AsyncFollower
from tidings.receiver.follower.follower import Follower
from tidings.receiver.follower.place import BEGINNING, AsyncPlaceStore, PlaceStore
from tidings.receiver.follower.postgres import AsyncpgPlaces, AsyncPsycopgPlaces, PsycopgPlaces
from tidings.receiver.follower.sqlalchemy import AsyncSqlalchemyPlaces, SqlalchemyPlaces
from tidings.receiver.follower.sqlite import AsyncSqlitePlaces, SqlitePlaces
from tidings.receiver.follower.steps import Gap, Turn

__all__ = [
    "BEGINNING",
    "AsyncFollower",
    "AsyncPlaceStore",
    "AsyncPsycopgPlaces",
    "AsyncSqlalchemyPlaces",
    "AsyncSqlitePlaces",
    "AsyncpgPlaces",
    "Follower",
    "Gap",
    "PlaceStore",
    "PsycopgPlaces",
    "SqlalchemyPlaces",
    "SqlitePlaces",
    "Turn",
]
