"""What the Smartsheet contract answers, typed (contract 2.2, 2.3). Unknown fields are ignored."""

from __future__ import annotations

import msgspec


class Subscope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """To which columns a webhook is narrowed; none: all."""

    column_ids: tuple[int, ...] = ()


class CallbackStats(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How its callbacks fared, once one was tried."""

    last_callback_attempt: str | None = None
    last_callback_attempt_retry_count: int | None = None
    last_successful_callback: str | None = None


class SheetWebhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook for a sheet. `status` says why it isn't enabled, `disabled_details` in words."""

    id: int
    name: str = ""
    callback_url: str = ""
    scope: str = "sheet"
    scope_object_id: int | None = None
    subscope: Subscope = Subscope()
    events: tuple[str, ...] = ()
    version: int = 1
    enabled: bool = False
    status: str = ""
    disabled_details: str | None = None
    shared_secret: str | None = None
    stats: CallbackStats | None = None
    created_at: str | None = None
    modified_at: str | None = None


class SheetWebhooksPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One page of webhooks, and how many there are."""

    webhooks: tuple[SheetWebhook, ...] = msgspec.field(default=(), name="data")
    page_number: int = 1
    page_size: int | None = None
    total_pages: int = 0
    total_count: int = 0
