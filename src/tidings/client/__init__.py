"""A typed client of a Tidings server's API. It needs nothing of the server."""

from tidings.client.async_client import AsyncClient
from tidings.client.client import Client
from tidings.client.messages import (
    Application,
    ApplicationEventData,
    Change,
    Context,
    Event,
    EventsPage,
    FieldEventData,
    Health,
    LinesReceipt,
    Locator,
    PublishReceipt,
    RecordEventData,
    SecretRotation,
    Stamp,
    Webhook,
    WebhooksPage,
)
from tidings.client.patience import Patience
from tidings.client.sheet_messages import (
    CallbackStats,
    SheetWebhook,
    SheetWebhooksPage,
    Subscope,
)

__all__ = [
    "Application",
    "ApplicationEventData",
    "AsyncClient",
    "CallbackStats",
    "Change",
    "Client",
    "Context",
    "Event",
    "EventsPage",
    "FieldEventData",
    "Health",
    "LinesReceipt",
    "Locator",
    "Patience",
    "PublishReceipt",
    "RecordEventData",
    "SecretRotation",
    "SheetWebhook",
    "SheetWebhooksPage",
    "Stamp",
    "Subscope",
    "Webhook",
    "WebhooksPage",
]
