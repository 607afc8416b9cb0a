"""How a callback webhook's status follows from what happens (contract 2.2, 2.6)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tidings.domain.sheet_standing import is_called, scope_judged, sheet_of, stood
from tidings.domain.sheet_webhook import SheetStatus, sheet_number
from tidings.domain.webhook import Webhook
from tidings.testing.clock import DEFAULT_START, ManualClock
from tidings.testing.storage_samples import sheet_webhook

_LATER = DEFAULT_START + timedelta(hours=1)


def _standing(status: SheetStatus) -> Webhook:
    return stood(sheet_webhook(ManualClock()), status, at=DEFAULT_START)


@pytest.mark.parametrize("status", list(SheetStatus))
def test_exactly_an_enabled_webhook_is_called(status: SheetStatus) -> None:
    webhook = _standing(status)
    assert is_called(webhook) is (status is SheetStatus.ENABLED)
    assert webhook.notifications.enabled is (status is SheetStatus.ENABLED)


def test_a_revoked_key_stands_before_every_status() -> None:
    webhook = _standing(SheetStatus.ENABLED)
    revoked = replace(webhook, sheet=replace(sheet_of(webhook), key_revoked=True))
    assert not is_called(revoked)
    assert sheet_of(revoked).standing is SheetStatus.DISABLED_APP_REVOKED


@pytest.mark.parametrize("status", list(SheetStatus))
def test_a_deleted_sheet_disables_only_what_is_enabled(status: SheetStatus) -> None:
    judged = scope_judged(_standing(status), gone=True, position=9, at=_LATER)
    if status is SheetStatus.ENABLED:
        assert sheet_of(judged).status is SheetStatus.DISABLED_SCOPE_INACCESSIBLE
        assert sheet_of(judged).disabled_details == "The sheet was deleted"
        assert not judged.notifications.enabled
    else:
        assert judged == _standing(status)


@pytest.mark.parametrize("status", list(SheetStatus))
def test_a_sheet_that_came_back_enables_only_what_its_loss_disabled(status: SheetStatus) -> None:
    judged = scope_judged(_standing(status), gone=False, position=9, at=_LATER)
    if status is SheetStatus.DISABLED_SCOPE_INACCESSIBLE:
        assert sheet_of(judged).standing is SheetStatus.ENABLED
        assert sheet_of(judged).disabled_details is None
        assert sheet_of(judged).status_at == _LATER
    else:
        assert judged == _standing(status)


def test_what_was_judged_before_changes_nothing_when_the_log_is_read_again() -> None:
    enabled = _standing(SheetStatus.ENABLED)
    gone = scope_judged(enabled, gone=True, position=9, at=_LATER)
    back = scope_judged(gone, gone=False, position=10, at=_LATER)
    assert sheet_of(back).standing is SheetStatus.ENABLED
    for again, position in ((True, 9), (False, 10), (True, 10)):
        assert scope_judged(back, gone=again, position=position, at=_LATER) == back


def test_each_change_of_the_scope_is_told_by_a_number_of_its_own_until_the_owner_acts() -> None:
    enabled = _standing(SheetStatus.ENABLED)
    assert sheet_of(enabled).status_number == 0
    gone = scope_judged(enabled, gone=True, position=9, at=_LATER)
    assert sheet_of(gone).status_number == enabled.revision + 1
    stored = replace(gone, revision=gone.revision + 1)
    back = scope_judged(stored, gone=False, position=10, at=_LATER)
    assert sheet_of(back).status_number == stored.revision + 1
    assert sheet_of(stood(back, SheetStatus.DISABLED_BY_OWNER, at=_LATER)).status_number == 0


@pytest.mark.parametrize("text", ["1", "4509506114742148", str(2**53 - 1)])
def test_a_decimal_number_is_a_sheet_s_id(text: str) -> None:
    assert sheet_number(text) == int(text)


@pytest.mark.parametrize(
    "text", ["", "0", "01", "-1", "+1", "1.0", " 1", "1_0", "\u0661", "a1", str(2**53), "9" * 400]
)
def test_what_would_not_come_back_as_the_same_text_is_none(text: str) -> None:
    assert sheet_number(text) is None
