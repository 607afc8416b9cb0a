"""The owners of endpoints' names and machines, in a simulated month: not all of them mean well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from tests.simulation.dice import Dice
from tests.simulation.endpoints import Behaviour
from tests.simulation.guarded_sender import GuardedSender
from tests.simulation.hosts import INSIDE, OWN, outside
from tidings.ports import SendOutcome, SendRequest

INSIDE_URLS = (
    "https://127.0.0.1/",
    "https://localhost/hook",
    "https://10.0.0.5:8443/hook",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.5]/",
    "https://[64:ff9b::7f00:1]/",
    "https://2130706433/",
    "https://hooks.example:25/",
    "http://hooks.example/",
)
"""What no webhook may be made for."""


def host_of(url: str) -> str:
    """Return a URL's host."""
    return str(urlsplit(url).hostname)


def leading_inside(status: int) -> Behaviour:
    """Return an endpoint that sends everybody on to the metadata of the machine that asks."""
    elsewhere = {"location": "https://169.254.169.254/latest/"}

    def behave(request: SendRequest) -> SendOutcome:
        return SendOutcome(status=status, headers=elsewhere, error=f"answered {status}")

    return behave


class Names:
    """All of them."""

    def __init__(self, sender: GuardedSender, dice: Dice) -> None:
        self._sender = sender
        self._hosts = sender.hosts
        self._dice = dice
        self._fates: Sequence[Callable[[str, str], None]] = (
            self.inside,
            self.one_of_many,
            self.turning,
            self.gone,
            self.taken,
            self.redirecting,
            self.own,
        )

    def change(self, url: str) -> None:
        """Let the name of an endpoint lead elsewhere, or the endpoint itself."""
        self._dice.one_of(self._fates)(url, host_of(url))

    def mend(self, url: str) -> None:
        """Let a name lead where it should."""
        self._hosts.mend(host_of(url))

    def inside(self, url: str, host: str) -> None:
        """It has an address inside."""
        self._hosts.lead(host, self._dice.one_of(INSIDE))

    def one_of_many(self, url: str, host: str) -> None:
        """It has a public address that refuses, and one inside."""
        self._hosts.deaf.add(outside(host))
        self._hosts.lead(host, outside(host), self._dice.one_of(INSIDE))

    def turning(self, url: str, host: str) -> None:
        """It has another address whenever it is asked for: DNS rebinding."""
        self._hosts.turn(host, self._dice)

    def gone(self, url: str, host: str) -> None:
        """It is gone."""
        self._hosts.lead(host)

    def own(self, url: str, host: str) -> None:
        """It has the sender's own public address."""
        self._hosts.lead(host, OWN)

    def taken(self, url: str, host: str) -> None:
        """Its address becomes the sender's own in between the vetting and the connection."""
        self._hosts.own_soon.add(outside(host))

    def redirecting(self, url: str, host: str) -> None:
        """Whoever answers there leads inside."""
        status = self._dice.one_of((301, 302, 307, 308))
        self._sender.behave(url, leading_inside(status))
