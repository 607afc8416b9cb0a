"""The receiving half, for those who are notified. It needs nothing of the server."""

from tidings.receiver.hooks import GiveUp
from tidings.receiver.notification import DeadLetter, ItemKind, ReceivedEvent
from tidings.receiver.own_transaction import Callback, OwnTransaction
from tidings.receiver.receiver import Receiver
from tidings.receiver.request import Answer, Request

__all__ = [
    "Answer",
    "Callback",
    "DeadLetter",
    "GiveUp",
    "ItemKind",
    "OwnTransaction",
    "ReceivedEvent",
    "Receiver",
    "Request",
]
