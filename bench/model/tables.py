"""What the model says, as tables of Markdown: for the terminal and for the docs."""

from __future__ import annotations

from collections.abc import Sequence

from bench.model.growth import STORMS, Growth
from bench.model.peak import Played

_MEGA = 1e6
_TERA = 1e12


def measured(growth: Growth) -> str:
    """Return the table of what was measured."""
    costs = growth.costs
    rows = [
        ("a publish in the server", f"{_us(costs.api.fixed)} + {_us(costs.api.each)} a change"),
        (
            "a publish in PostgreSQL",
            f"{_us(costs.database.fixed)} + {_us(costs.database.each)} a change",
        ),
        (
            "a commit alone (time, not processor)",
            f"{_us(costs.commit.fixed)} + {_us(costs.commit.each)} a change",
        ),
        ("a ping in the dispatcher", _us(costs.ping)),
        ("an event listed, in the server", _us(costs.list_api)),
        ("an event listed, in PostgreSQL", _us(costs.list_database)),
        ("an event on the disk, with its indexes", f"{costs.event_bytes:,.0f} bytes"),
    ]
    return _table((f"measured in {costs.source}", "value"), rows)


def needed(growth: Growth) -> str:
    """Return the table of what the peak needs."""
    needs = growth.needs
    rows = [
        ("changes a second", f"{needs.changes_a_second:,.0f}"),
        ("pings a second", f"{needs.pings_a_second:,.0f}"),
        ("events listed a second", f"{needs.listed_a_second:,.0f}"),
        ("busy cores: servers", f"{needs.api_cores:,.0f}"),
        ("busy cores: dispatchers", f"{needs.dispatcher_cores:,.1f}"),
        ("busy cores: PostgreSQL, writing", f"{needs.database_cores_writing:,.0f}"),
        ("busy cores: PostgreSQL, reading", f"{needs.database_cores_reading:,.0f}"),
        ("dispatcher processes", f"{growth.dispatchers:,}"),
        (f"database nodes of {growth.world.node_cores} cores", f"{needs.nodes:,}"),
        ("busiest node", f"{needs.busiest_node_utilisation:.0%}"),
        ("mean node", f"{needs.mean_node_utilisation:.0%}"),
        ("busiest bucket, of its lane", f"{needs.busiest_bucket_utilisation:.0%}"),
        ("bytes a day", f"{needs.bytes_a_day / _TERA:,.2f} TB"),
    ]
    return _table(("at the peak", "modelled"), rows)


def played(growth: Growth) -> str:
    """Return the table of the busiest node's minutes."""
    columns = (growth.quiet, growth.failover, growth.dispatcher_lost)

    def row(name: str, texts: Sequence[str]) -> tuple[str, ...]:
        return (name, *texts)

    rows = [
        row("publish, p50", [f"{one.publish_p50_ms:,.1f} ms" for one in columns]),
        row("publish, p99", [f"{one.publish_p99_ms:,.1f} ms" for one in columns]),
        row("publish to ping, p99", [f"{one.publish_to_ping_p99_ms:,.0f} ms" for one in columns]),
        row("publishes in a commit", [f"{one.commit_publishes:,.2f}" for one in columns]),
        row("busiest lane", [f"{one.busiest_lane_utilisation:.0%}" for one in columns]),
        row("most publishes waiting", [f"{one.most_publishes_waiting:,}" for one in columns]),
        row("most pings waiting", [f"{one.most_pings_waiting:,}" for one in columns]),
        row("drained after", [_drained(one) for one in columns]),
    ]
    return _table(("the busiest node", "quiet", "failover", "a dispatcher lost"), rows)


def stormed(growth: Growth) -> str:
    """Return the table of the storms."""
    storms = growth.storms
    rows = [
        ("endpoints down", *(f"{one.down:,}" for one in storms)),
        ("attempts, in two days", *(f"{one.attempts / _MEGA:,.1f} million" for one in storms)),
        ("attempts a second, at most", *(f"{one.attempts_a_second_most:,.0f}" for one in storms)),
        ("slots of the slow pool", *(f"{one.slots:,}" for one in storms)),
        ("of them taken, by the day", *(f"{one.slots_utilisation:.0%}" for one in storms)),
        ("waits for a slot, p99", *(f"{one.waited_p99_seconds:,.0f} s" for one in storms)),
        ("disabled", *(f"{one.disabled:,}" for one in storms)),
        ("notified after, p50", *(f"{one.notified_p50_minutes:,.0f} min" for one in storms)),
        ("notified after, p99", *(f"{one.notified_p99_minutes:,.0f} min" for one in storms)),
        ("events unread by then", *(f"{one.unread_events / _MEGA:,.0f} million" for one in storms)),
    ]
    return _table(("down for a day", *(f"{share:.0%}" for share in STORMS)), rows)


TABLES = {"measured": measured, "needed": needed, "played": played, "stormed": stormed}
"""By the name that stands in the docs before each."""


def _drained(one: Played) -> str:
    return "not in time" if one.drained_seconds is None else f"{one.drained_seconds:,.1f} s"


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} µs"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
