"""A typed client of a Tidings server's API. It needs nothing of the server."""

from tidings.client.client import Client
from tidings.client.messages import (
    Event,
    EventsPage,
    LinesReceipt,
    PublishReceipt,
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
    "Webhook",
    "WebhooksPage",
]
