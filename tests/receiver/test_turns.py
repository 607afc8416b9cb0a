"""What handlers do in the inbox's transaction: with the settling of their event, or not at all."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Awaitable
from typing import Any

import asyncpg
import pytest

from tests.receiver.inboxes import name_of, receiver_at, work_off, work_until
from tests.receiver.senders import callback, row_event
from tidings.receiver import ReceivedEvent
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


def effects_in(transaction: Any, event: ReceivedEvent) -> Awaitable[Any] | None:
    """Count an event in a table of the consumer's, in the inbox's transaction."""
    statement = f"INSERT INTO effect VALUES ('{name_of(event)}')"
    result = transaction.execute(statement)
    return result if inspect.isawaitable(result) else None


async def run_sql(inbox: str, statement: str) -> list[Any]:
    """Run a statement as the consumer would."""
    if inbox.startswith("sqlite"):
        db = sqlite3.connect(inbox.removeprefix("sqlite:///"))
        try:
            with db:
                return db.execute(statement).fetchall()
        finally:
            db.close()
    connection = await asyncpg.connect(inbox)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def test_what_a_handler_does_in_the_transaction_happens_with_the_settling_or_not_at_all(
    inbox: str, clock: ManualClock
) -> None:
    await run_sql(inbox, "CREATE TABLE effect (name text)")
    failures = 2
    receiver = receiver_at(inbox, clock)

    @receiver.on()
    async def handle(event: ReceivedEvent, transaction: Any) -> None:
        nonlocal failures
        done = effects_in(transaction, event)
        if done is not None:
            await done
        failures -= 1
        if failures >= 0:
            raise ValueError

    async with receiver:
        await receiver.receive(callback("n", row_event(1), row_event(1, "updated")))
        await work_until(receiver, clock, 10)
    rows = await run_sql(inbox, "SELECT name FROM effect")
    assert rows == [("row created 1",), ("row updated 1",)]


async def test_effects_that_the_database_refuses_are_a_failed_try(
    inbox: str, clock: ManualClock
) -> None:
    await run_sql(inbox, "CREATE TABLE effect (name text PRIMARY KEY)")
    receiver = receiver_at(inbox, clock, tries=2)

    @receiver.on()
    async def handle(event: ReceivedEvent, transaction: Any) -> None:
        for _ in range(2):
            try:
                done = effects_in(transaction, event)
                if done is not None:
                    await done
            except sqlite3.IntegrityError:
                raise
            except Exception:  # noqa: BLE001 - as asyncpg's: the transaction can't be committed any more
                return

    async with receiver:
        await receiver.receive(callback("n", row_event(1), row_event(2)))
        await work_until(receiver, clock, 10)
        assert len(await receiver.dead_letters()) == 2
    assert await run_sql(inbox, "SELECT name FROM effect") == []


async def test_one_handlers_failure_undoes_its_own_effects_and_no_others(
    inbox: str, clock: ManualClock
) -> None:
    await run_sql(inbox, "CREATE TABLE effect (name text)")
    receiver = receiver_at(inbox, clock, tries=1)

    @receiver.on()
    async def handle(event: ReceivedEvent, transaction: Any) -> None:
        done = effects_in(transaction, event)
        if done is not None:
            await done
        if event.id == 2:
            raise ValueError

    async with receiver:
        await receiver.receive(callback("n", *map(row_event, (1, 2, 3))))
        await work_off(receiver)
        assert [letter.event.id for letter in await receiver.dead_letters()] == [2]
    rows = await run_sql(inbox, "SELECT name FROM effect ORDER BY name")
    assert rows == [("row created 1",), ("row created 3",)]


async def test_effects_that_are_refused_at_the_commit_fail_whoever_had_them_and_nobody_else(
    inbox: str, clock: ManualClock
) -> None:
    await run_sql(inbox, "CREATE TABLE known (name text PRIMARY KEY)")
    await run_sql(inbox, "INSERT INTO known VALUES ('row created 1'), ('row created 3')")
    deferred = "name text REFERENCES known (name) DEFERRABLE INITIALLY DEFERRED"
    await run_sql(inbox, f"CREATE TABLE effect ({deferred})")
    receiver = receiver_at(inbox, clock, tries=1)

    @receiver.on()
    async def handle(event: ReceivedEvent, transaction: Any) -> None:
        done = effects_in(transaction, event)
        if done is not None:
            await done

    async with receiver:
        await receiver.receive(callback("n", *map(row_event, (1, 2, 3))))
        await work_off(receiver)
        assert [letter.event.id for letter in await receiver.dead_letters()] == [2]
    rows = await run_sql(inbox, "SELECT name FROM effect ORDER BY name")
    assert rows == [("row created 1",), ("row created 3",)]


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK", "ROLLBACK; BEGIN"])
async def test_a_handler_that_ends_postgresqls_transaction_has_failed_and_the_rest_goes_on(
    statement: str, postgres_url: str, clock: ManualClock
) -> None:
    await run_sql(postgres_url, "CREATE TABLE effect (name text)")
    receiver = receiver_at(postgres_url, clock, tries=1)

    @receiver.on()
    async def handle(event: ReceivedEvent, transaction: Any) -> None:
        if event.id == 2:
            await transaction.execute(statement)
        await effects_in(transaction, event)  # type: ignore[misc] # it is asyncpg's

    async with receiver:
        await receiver.receive(callback("n", *map(row_event, (1, 2, 3))))
        await work_off(receiver)
        assert [letter.event.id for letter in await receiver.dead_letters()] == [2]
    rows = await run_sql(postgres_url, "SELECT name FROM effect WHERE name <> 'row created 2'")
    assert sorted(rows) == [("row created 1",), ("row created 3",)]
