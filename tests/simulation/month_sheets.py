"""The sheets of a simulated month: their owners, who is called, and rows that are deleted."""

from __future__ import annotations

from typing import Any

from tests.simulation import callbacks, egress
from tests.simulation.callbacks import Row, Told
from tests.simulation.dice import Dice
from tests.simulation.endpoints import OK, Behaviour, Sent
from tests.simulation.history import History
from tests.simulation.invariants import must
from tests.simulation.month_endpoints import Endpoints
from tests.simulation.month_hosts import INSIDE_URLS
from tests.simulation.month_platforms import ACCOUNTS, SOLUTION
from tests.simulation.month_receivers import Receiving
from tests.simulation.server import Answer, Server
from tests.simulation.sheets import answering_challenges
from tidings.domain.key import Role
from tidings.ports import SendOutcome, SendRequest

_PATH = "/2.0/webhooks"
_BAD = (
    SendOutcome(status=500, error="answered 500"),
    SendOutcome(status=429, error="answered 429"),
    SendOutcome(status=404, error="answered 404"),
    SendOutcome(status=None, error="connection refused", unreachable=True),
)
_REFUSALS = (SendOutcome(status=410), SendOutcome(status=301), SendOutcome(status=204))
_FIRST_SHEET = 4_509_506_114_742_148
_RECEIVERS = 2
"""Webhooks of a month whose endpoint is a Receiver: each event costs it a savepoint."""
_REPLAYED_SECONDS = 20 * 86_400.0
"""Less than a receiver remembers."""
_BURST = 150
"""Rows of a large publish; sent one by one they need more than one challenge."""


class Called:
    """A callback webhook as its owner and its endpoint see it."""

    def __init__(self, number: int, account: str, key: str, url: str, secret: str) -> None:
        self.number = number
        self.account = account
        self.key = key
        self.url = url
        self.secret = secret
        self.wanted: bool | None = False
        self.rows: dict[int, Row] = {}
        """Of its sheet, since it was made."""
        self.receiving: Receiving | None = None
        """Who receives for it, where that is one of our own Receivers and no script."""
        self.got: list[Told] = []
        self.flying: list[Told] = []


class Sheets:
    """One sheet for each account, with its webhooks."""

    def __init__(self, server: Server, history: History, dice: Dice, endpoints: Endpoints) -> None:
        self.called: dict[int, Called] = {}
        self._server = server
        self._history = history
        self._dice = dice
        self._endpoints = endpoints
        self._sheets = {account: _FIRST_SHEET + n for n, account in enumerate(ACCOUNTS)}
        self._rows = 0
        began, ended = server.sender.began, server.sender.ended

        def also_began(sent: Sent) -> None:
            began(sent)
            self._began(sent)

        def also_ended(sent: Sent) -> None:
            ended(sent)
            self._ended(sent)

        server.sender.began, server.sender.ended = also_began, also_ended

    # --- what happens in the sheets ---------------------------------------------------------------

    async def publish(
        self, account: str | None = None, count: int | None = None, cells: int | None = None
    ) -> None:
        """Delete some rows of a sheet, or make some with so many cells."""
        account = account or self._dice.one_of(ACCOUNTS)
        count = count or (_BURST if self._dice.chance(0.05) else 1 + self._dice.below(4))
        first, self._rows = self._rows + 1, self._rows + count
        numbers = range(first, first + count)
        listeners = [one for one in self.called.values() if one.account == account]
        cells = self._dice.below(4) if cells is None else cells
        columns = tuple(range(1, 1 + cells))
        change = {
            "kind": "RECORD_CREATED" if cells else "RECORD_DELETED",
            "application_id": str(self._sheets[account]),
            "data": {str(column): "x" for column in columns},
        }
        changes = [{**change, "record_id": str(number)} for number in numbers]
        body = {"solution_id": SOLUTION, "changes": changes}
        answer = await self._until(
            "POST",
            "/v1/changes",
            body,
            f"{account}-publisher",
            {"idempotency-key": f"rows-{first}"},
        )
        position, now = answer.json["first_position"], self._server.clock.now()
        for listener in listeners:
            for n, number in enumerate(numbers):
                listener.rows[number] = Row(number, position + n, now, columns)

    # --- owners -----------------------------------------------------------------------------------

    async def register(self, account: str | None = None, *, receives: bool | None = None) -> None:
        """Make a webhook and enable it, once its sheet is known.

        `receives`: by a Receiver of our own; the dice decide if it isn't said.
        """
        account = account or self._dice.one_of(ACCOUNTS)
        await self.publish(account, 1)
        text = f"{account}-key-of-sheet-{self._rows}"
        key = await self._server.new_key(account, Role.SUBSCRIBER, text)
        url = f"https://sheet-{self._rows}.example/hook"
        if self._dice.chance(0.2):
            inside = self._dice.one_of(INSIDE_URLS)
            answer = await self._server.post(_PATH, self._wish(account, inside), key)
            egress.refused(answer.status, inside)
        answer = await self._server.post(_PATH, self._wish(account, url), key)
        if answer.status != 200:
            assert answer.status in (0, 503), answer
            return  # made or not: nobody was told its number
        made = answer.json["result"]
        called = Called(made["id"], account, key, url, made["sharedSecret"])
        self.called[called.number] = called
        self.answers(called, OK)
        if receives is None:
            receives = len(self.receiving()) < _RECEIVERS and self._dice.chance(0.5)
        if receives:
            await self._receive(called)
        await self.switch(called)

    async def _receive(self, called: Called) -> None:
        path = self._server.path.with_name(f"inbox-{called.number}.db")
        receiving = Receiving(self._server, self._dice, path, called.secret)
        await receiving.begin()
        called.receiving = receiving
        self._server.sender.programs[called.url] = receiving.take

    def receiving(self) -> list[Receiving]:
        """Return those who receive by Receivers of our own."""
        return [one.receiving for one in self.called.values() if one.receiving is not None]

    def _wish(self, account: str, url: str) -> dict[str, Any]:
        return {
            "name": "rows",
            "callbackUrl": url,
            "scope": "sheet",
            "scopeObjectId": self._sheets[account],
            "events": ["*.*"],
            "version": 1,
        }

    async def switch(self, called: Called | None = None) -> None:
        """Enable a webhook, or disable it."""
        called = called or self._any()
        if called is not None:
            on = not called.wanted
            await self._put(called, {"enabled": on}, on=on)

    async def _put(self, called: Called, change: dict[str, Any], *, on: bool) -> None:
        called.wanted = None
        path = f"{_PATH}/{called.number}"
        answer = await self._until("PUT", path, change, called.key)
        called.wanted = on and answer.json["result"]["enabled"]

    async def standing(self, called: Called) -> str:
        """Ask a webhook how it stands."""
        path = f"{_PATH}/{called.number}"
        status: str = (await self._until("GET", path, {}, called.key)).json["status"]
        return status

    async def _until(
        self, method: str, path: str, body: Any, key: str, headers: dict[str, str] | None = None
    ) -> Answer:
        while True:
            answer = await self._server.post(path, body, key, headers, method=method)
            if answer.status == 200:
                return answer
            assert answer.status in (0, 429, 503), answer
            await self._server.clock.sleep(2.0)

    # --- endpoints --------------------------------------------------------------------------------

    async def change(self) -> None:
        """Let an endpoint answer otherwise from now on."""
        called = self._any()
        if called is not None:
            self.mend(called)
            fate = self._dice.below(10)
            if self._dice.chance(0.2):
                self._endpoints.names.change(called.url)
            elif called.receiving is not None:
                await called.receiving.hinder()
            elif fate < 4:
                self.answers(called, self._dice.one_of(_BAD))
            elif fate == 4:
                self.answers(called, self._dice.one_of(_REFUSALS))
            if self._dice.chance(0.3):
                self.drag(called, 3.0)

    def drag(self, called: Called, seconds: float) -> None:
        """Let an endpoint take so long for each answer."""
        sleep = self._server.clock.sleep
        self._server.sender.visits[called.url] = lambda: sleep(seconds)

    def mend(self, called: Called) -> None:
        """Let an endpoint be well."""
        self._server.sender.visits.pop(called.url, None)
        self._endpoints.names.mend(called.url)
        if called.receiving is not None:
            called.receiving.mend()
        self.answers(called, OK)

    def answers(self, called: Called, outcome: SendOutcome) -> None:
        """Let an endpoint answer so, but challenges as it should."""
        behaviour: Behaviour = answering_challenges(outcome)
        self._server.sender.behave(called.url, behaviour)

    async def replay(self) -> None:
        """Send a callback once more to a receiver that has had it, as anybody may who saw it."""
        called = self._any()
        receiving = None if called is None else called.receiving
        if called is None or receiving is None:
            return
        since = self._server.clock.monotonic() - _REPLAYED_SECONDS
        told = [one for one in called.got if one.events is not None and one.began > since]
        if told:
            sent = self._dice.one_of(told).sent
            again = SendRequest(
                account=called.account,
                url=called.url,
                headers=list(sent.headers.items()),
                body=sent.body,
                deadline_seconds=10.0,
            )
            outcome = await receiving.take(again)
            must(outcome.status in (None, 200, 503), f"2: a replay was answered {outcome.status}")

    def _any(self) -> Called | None:
        return self._dice.one_of(list(self.called.values())) if self.called else None

    # --- judging ----------------------------------------------------------------------------------

    def _began(self, sent: Sent) -> None:
        called = self.called.get(sent.json["webhookId"])
        if called is None:
            return
        told = Told(
            sent=sent,
            life=self._server.life,
            trouble=self._history.trouble,
            wanted=called.wanted,
            began=self._server.clock.monotonic(),
        )
        called.got.append(told)
        called.flying.append(told)
        judge = self._endpoints.judge
        judge(callbacks.signed, told, called.secret)
        judge(callbacks.called_while_wanted, told)
        judge(callbacks.one_in_flight, called.flying)

    def _ended(self, sent: Sent) -> None:
        called = self.called.get(sent.json["webhookId"])
        if called is not None:
            for told in called.flying:
                if told.sent is sent:
                    told.ended = self._server.clock.monotonic()
            called.flying = [told for told in called.flying if told.sent is not sent]

    async def heal(self) -> None:
        """Mend all endpoints, and enable what isn't, so that everything is told in the end."""
        for called in self.called.values():
            self.mend(called)
            if called.receiving is not None:
                await called.receiving.run_again()
            if await self.standing(called) != "ENABLED":
                await self._put(called, {"enabled": True}, on=True)
            called.wanted = True

    async def judge(self) -> None:
        """Judge each webhook, after all of it has healed."""
        for called in self.called.values():
            standing = await self.standing(called)
            must(standing == "ENABLED", f"4: {called.number} is {standing}")
            callbacks.one_nonce_one_body(called.got)
            handled = callbacks.handled_once_in_order(called.got, called.rows)
            callbacks.all_handled(handled, called.rows, self._server.clock.now())
            callbacks.retried_on_time(called.got)
            callbacks.challenged_between(called.got)
            if called.receiving is not None:
                called.receiving.judge(called.rows)

    async def close(self) -> None:
        """End all receivers."""
        for receiving in self.receiving():
            await receiving.close()
