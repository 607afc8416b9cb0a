"""What an update changed, of whatever the publisher gave to tell it by (mechanics L5).

`before` is the whole record before; `previous` holds prior values of changed fields alone;
`changed_fields` names them. Where values prove equal, the proof counts for more than the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tidings.domain.equality import same_value, split_fields
from tidings.domain.limits import CHANGED_FIELDS
from tidings.errors import InvalidArgument

NOTHING_BEFORE = b"{}"
"""An event's `previous` where no prior value is known, or none is asked for."""

_quoted = msgspec.json.Encoder().encode
_Fields = dict[str, msgspec.Raw]


class Difference(msgspec.Struct, frozen=True):
    """What an update changed."""

    changed: tuple[str, ...] | None
    """The changed fields; None where nobody told, so that every field counts."""
    previous: bytes
    """Their prior values as a JSON object, as far as they were given; null for an added field."""
    proved_none: bool = False
    """Proved to change nothing: it is suppressed."""


UNTOLD = Difference(None, NOTHING_BEFORE)


def what_changed(
    data: msgspec.Raw,
    before: msgspec.Raw | None,
    previous: msgspec.Raw | None,
    named: Sequence[str] | None,
) -> Difference:
    """Return what an update to `data` changed; each argument but it is None where not given.

    `data`, `before` and `previous` are JSON objects, and at most one of the latter two is given.
    Raises InvalidArgument for too many fields.
    """
    if before is not None:
        return _since(data, before, named or ())
    if previous is not None:
        return _of_prior_values(data, previous, named)
    if named is not None:
        return Difference(_without_repeats(named), NOTHING_BEFORE, proved_none=not named)
    return UNTOLD


def fields_of(argument: str, raw: msgspec.Raw) -> tuple[dict[str, msgspec.Raw], frozenset[str]]:
    """Split an object into its fields and the names that it has twice, within the limit.

    Raises InvalidArgument, naming `argument`, for more than CHANGED_FIELDS.
    """
    fields, twice = split_fields(raw)
    if len(fields) > CHANGED_FIELDS:
        raise InvalidArgument(argument, f"{argument} has more than {CHANGED_FIELDS} fields")
    return fields, twice


def _since(data: msgspec.Raw, before: msgspec.Raw, named: Sequence[str]) -> Difference:
    """Compare with the whole record before: a field missing there was absent."""
    after, twice = fields_of("data", data)
    prior, twice_before = fields_of("before", before)
    twice |= twice_before
    changed = _differing(after, prior, twice)
    changed += [name for name in prior if name not in after]
    # A name that neither record knows can't be proved unchanged.
    changed += [name for name in named if name not in after and name not in prior]
    previous = {name: prior.get(name) for name in changed if name in after or name in prior}
    return Difference(_without_repeats(changed), _object(previous), proved_none=not changed)


def _of_prior_values(
    data: msgspec.Raw, previous: msgspec.Raw, named: Sequence[str] | None
) -> Difference:
    """Take the prior values as told, but for those that prove equal to the present ones."""
    after, twice = fields_of("data", data)
    prior, twice_before = fields_of("previous", previous)
    twice |= twice_before
    kept = {name: prior[name] for name in _differing(prior, after, twice)}
    changed = [*kept, *(name for name in named or () if name not in prior)]
    # Only an explicitly empty list says that there is nothing beside what `previous` tells.
    proved_none = not changed and named is not None and not named
    return Difference(_without_repeats(changed), _object(kept), proved_none)


def _differing(fields: _Fields, others: _Fields, twice: frozenset[str]) -> list[str]:
    """Return the names of the fields that aren't proved equal to those of the same name."""
    # Most fields are the same bytes: one pass over all, and a closer look at what is left.
    suspects = [name for name, value in fields.items() if others.get(name) != value]
    if twice:
        suspects = [n for n, value in fields.items() if n in twice or others.get(n) != value]
    return [
        name
        for name in suspects
        if name in twice or name not in others or not same_value(fields[name], others[name])
    ]


def _without_repeats(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _object(fields: Mapping[str, msgspec.Raw | None]) -> bytes:
    """Print fields as an object, their values as the bytes they came in; None as null."""
    members = (
        b"%b:%b" % (_quoted(name), b"null" if value is None else bytes(value))
        for name, value in fields.items()
    )
    return b"{%b}" % b",".join(members)
