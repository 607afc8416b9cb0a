"""NDJSON is cut by its own content: into lines, batches and chunks (contract 3.2)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.domain.limits import (
    CHANGE_BYTES,
    NDJSON_CHUNK_BYTES,
    NDJSON_CHUNK_LINES,
    PUBLISH_CHANGES,
)
from tidings.domain.lines import Chunk, LineSplitter, chunk_key, read_line
from tidings.errors import InvalidArgument, TooLarge

NOW = "2026-01-15T12:00:00.000Z"


def split(pieces: list[bytes]) -> list[bytes]:
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    last = splitter.last()
    return lines if last is None else [*lines, last]


@given(st.lists(st.sampled_from([b"a", b"bc", b"", b"\r"]), max_size=8), st.data())
def test_lines_are_the_same_wherever_the_stream_was_cut(
    lines: list[bytes], data: st.DataObject
) -> None:
    whole = b"\n".join(lines)
    expected = [line.removesuffix(b"\r") for line in lines]
    if lines and not lines[-1]:
        expected.pop()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert split(pieces) == expected


def test_a_line_over_the_limit_is_refused_before_its_end_has_come() -> None:
    splitter = LineSplitter()
    assert list(splitter.feed(b"a" * CHANGE_BYTES)) == []
    with pytest.raises(TooLarge):
        list(splitter.feed(b"a"))


def line(batch: str | None = None, **members: object) -> bytes:
    change = {"kind": "RECORD_CREATED", "application_id": "a", "record_id": "r", "data": {}}
    return json.dumps({**change, "batch_id": batch, **members}).encode()


def chunks(lines: list[bytes]) -> list[Chunk]:
    found = [Chunk()]
    for number, text in enumerate(lines, start=1):
        sent = read_line(text)
        if found[-1].ends_before(sent):
            found.append(Chunk())
        found[-1].add(number, text, sent, NOW)
    return found


def test_neighbouring_lines_of_one_batch_id_are_one_batch_and_others_are_their_own() -> None:
    [chunk] = chunks([line("x"), line("x"), line("y"), line("x"), line(), line()])
    assert [(batch.batch_id, batch.lines) for batch in chunk.batches] == [
        ("x", 2), ("y", 1), ("x", 1), (None, 1), (None, 1),
    ]  # fmt: skip


def test_a_chunk_ends_after_so_many_lines_where_a_batch_ends() -> None:
    free = chunks([line()] * (NDJSON_CHUNK_LINES + 1))
    assert [chunk.last_line for chunk in free] == [NDJSON_CHUNK_LINES, NDJSON_CHUNK_LINES + 1]
    bound = chunks([line()] * (NDJSON_CHUNK_LINES - 1) + [line("x")] * 3 + [line("y")])
    assert [(chunk.first_line, chunk.last_line) for chunk in bound] == [
        (1, NDJSON_CHUNK_LINES + 2),
        (NDJSON_CHUNK_LINES + 3, NDJSON_CHUNK_LINES + 3),
    ]


def test_a_chunk_ends_after_so_many_bytes() -> None:
    large = line(data={"a": "x" * (NDJSON_CHUNK_BYTES // 5)})
    assert [len(chunk.batches) for chunk in chunks([large] * 6)] == [5, 1]


def test_chunks_from_a_chunk_s_end_on_are_those_of_the_whole_file() -> None:
    lines = [line(f"b{number // 7}") for number in range(3_000)]
    first, second, *_ = chunks(lines)
    again = chunks(lines[first.last_line :])
    assert again[0].body_hash(b"") == second.body_hash(b"")
    assert again[0].last_line + first.last_line == second.last_line


def test_the_hash_tells_lines_and_context_apart() -> None:
    def hashed(lines: list[bytes], context: bytes = b"") -> bytes:
        return chunks(lines)[0].body_hash(context)

    hashes = {
        hashed([line("x")]),
        hashed([line("y")]),
        hashed([line("x"), line("x")]),
        hashed([line("x")], b"source"),
    }
    assert len(hashes) == 4


def test_a_batch_has_a_limit_of_lines() -> None:
    text = line("x")
    sent = read_line(text)
    chunk = Chunk()
    for number in range(PUBLISH_CHANGES):
        chunk.add(number + 1, text, sent, NOW)
    with pytest.raises(TooLarge) as caught:
        chunk.add(PUBLISH_CHANGES + 1, text, sent, NOW)
    assert caught.value.argument == "batch_id"


def test_a_line_names_what_is_wrong_in_it() -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_line(line(""))
    assert caught.value.argument == "batch_id"


def test_no_client_can_send_a_chunk_s_key() -> None:
    assert not chunk_key("key", 1).isprintable()
    assert chunk_key("key", 1) != chunk_key("key", 11)
