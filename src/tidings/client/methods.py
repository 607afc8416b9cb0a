"""From a call to a client's method of the same words: what help() and an editor show of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

M = TypeVar("M", bound=Callable[..., Any])


def as_method(method: M, call: Callable[..., Any]) -> M:
    """Give a method the words of its call, with `self` before them."""
    signature = inspect.signature(call)
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    returned = str(signature.return_annotation).removeprefix("Request[").removesuffix("]")
    shown = signature.replace(
        parameters=[this, *signature.parameters.values()], return_annotation=returned
    )
    vars(method)["__signature__"] = shown
    return method
