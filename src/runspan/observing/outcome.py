"""What an exception says of the span it ends."""

from __future__ import annotations

from typing import Any


def outcome_of(error: BaseException) -> str:
    """`closed` and `cancelled` are how a program goes on, not faults of it."""
    if isinstance(error, Exception):
        return "error"
    if isinstance(error, GeneratorExit):
        return "closed"
    if type(error).__name__ in ("CancelledError", "Cancelled"):  # asyncio's and trio's
        return "cancelled"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "closed"
    return "error"


def origin_of(error: BaseException) -> Any:
    """Where it was raised first: with its id, that tells one error on its way up from a later one at the same address."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb and (tb.tb_frame.f_code, tb.tb_lasti)


def name_of(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
