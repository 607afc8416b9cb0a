"""The receiver as a blueprint of Flask's."""

from __future__ import annotations

from typing import Protocol

import flask

from tidings.receiver.request import Answer, Request, joined_headers
from tidings.receiver.wsgi import read_bounded


class Endpoint(Protocol):
    """What the blueprint needs of a receiver."""

    max_body_bytes: int

    def receive_blocking(self, request: Request) -> Answer:
        """Answer a request."""


def blueprint_of(endpoint: Endpoint, path: str, name: str) -> flask.Blueprint:
    """Return a blueprint with one route, `<name>.receive`."""
    blueprint = flask.Blueprint(name, __name__)

    @blueprint.post(path)
    def receive() -> flask.Response:
        request = Request(
            headers=joined_headers(list(flask.request.headers.items())),
            body=_body(endpoint.max_body_bytes),
        )
        answer = endpoint.receive_blocking(request)
        response = flask.Response(answer.body, status=int(answer.status))
        del response.headers["Content-Type"]
        response.headers.extend(answer.headers)
        return response

    return blueprint


def _body(max_bytes: int) -> bytes | None:
    """Read the body, also where something before has read and kept it."""
    length = flask.request.content_length
    if length is None:
        body = read_bounded(flask.request.stream, max_bytes + 1, max_bytes)
        return body if body != b"" else flask.request.get_data()
    return None if length > max_bytes else flask.request.get_data()
