"""Who hears of what this process appends."""

from __future__ import annotations

from collections.abc import Callable

from tidings import telemetry
from tidings.domain.log_entry import Appended


class Watchers:
    """Who is told of what each commit of this process appended."""

    def __init__(self) -> None:
        self._watchers: list[Callable[[Appended], None]] = []

    def __len__(self) -> int:
        return len(self._watchers)

    def add(self, watcher: Callable[[Appended], None]) -> Callable[[], None]:
        """Add a watcher; return what removes it (twice is fine)."""
        self._watchers.append(watcher)

        def remove() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return remove

    def announce(self, appended: Appended) -> None:
        """Tell all. One that raises is logged: the append is committed and must be answered."""
        for watcher in tuple(self._watchers):
            try:
                watcher(appended)
            except Exception:  # noqa: BLE001 - logged; the watcher's fault, not the writer's
                telemetry.logger().exception(telemetry.WATCHER_FAILED, bucket=appended.bucket)
