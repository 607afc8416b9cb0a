"""The storage contract: what every adapter of ports.Storage must hold, as pytest classes.

An adapter's tests subclass `StorageContract` and give a fixture `database` (see `Database`)::

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def database(self, tmp_path): ...

and `anyio_backend = "asyncio"`. Every promise is a test; its name is the promise.
"""

from __future__ import annotations

from tidings.testing.storage_account_contract import AccountContract
from tidings.testing.storage_callback_contract import CallbackContract
from tidings.testing.storage_callback_log_contract import CallbackLogContract
from tidings.testing.storage_caps_contract import CapsContract
from tidings.testing.storage_counts_contract import CountsContract
from tidings.testing.storage_dispatch_contract import DispatchContract
from tidings.testing.storage_lifecycle_contract import LifecycleContract
from tidings.testing.storage_log_contract import LogContract
from tidings.testing.storage_page_contract import PageContract
from tidings.testing.storage_retention_contract import RetentionContract
from tidings.testing.storage_roster_contract import RosterContract
from tidings.testing.storage_samples import Database
from tidings.testing.storage_webhook_contract import WebhookContract

__all__ = ["Database", "StorageContract"]


class StorageContract(
    LogContract,
    PageContract,
    WebhookContract,
    DispatchContract,
    RosterContract,
    CountsContract,
    CallbackContract,
    CallbackLogContract,
    LifecycleContract,
    RetentionContract,
    AccountContract,
    CapsContract,
):
    """All of it."""
