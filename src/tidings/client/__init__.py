"""A typed client of a Tidings server's API. It needs nothing of the server."""

from tidings.client.client import Client
from tidings.client.messages import (
    Event,
    EventsPage,
    LinesReceipt,
    PublishReceipt,
    SecretRotation,
    Webhook,
    WebhooksPage,
)
from tidings.client.transport import Patience

__all__ = [
    "Client",
    "Event",
    "EventsPage",
    "LinesReceipt",
    "Patience",
    "PublishReceipt",
    "SecretRotation",
    "Webhook",
    "WebhooksPage",
]
