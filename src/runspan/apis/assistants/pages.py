"""Pages of messages and run steps, whichever way round the server lists them."""

from __future__ import annotations

from ...core.fields import Wire, items, moment, text
from ...core.model import Listing, Message, RunStep
from ...core.order import lean, oldest_first
from . import objects as wire

PAGE_SIZE = 20  # where the app asks for none


def messages_of(*objects: Wire) -> tuple[Message, ...]:
    return tuple(map(wire.message, filter(wire.is_message, objects)))


def messages(page: Wire, query: Wire) -> tuple[tuple[Message, ...], Listing]:
    """The messages, oldest first, and what of the thread they cover."""
    rows = [row for row in items(page, "data") if wire.is_message(row)]
    found, is_ascending, is_ordered = oldest_first(
        [wire.message(row) for row in rows],
        [moment(row, "created_at") for row in rows],
        is_ascending=query.get("order") == "asc",
    )
    # With `before`, has_more speaks of the other direction: such a page proves neither end.
    is_last = not has_more(page, query) and not query.get("before")
    after, before = text(query, "after"), text(query, "before")
    is_first = not after and not before
    listing = Listing(
        from_start=is_first if is_ascending else is_last,
        to_end=is_last if is_ascending else is_first,
        run_id=text(query, "run_id"),
        follows=after if is_ascending else before,
        precedes=before if is_ascending else after,
        is_ordered=is_ordered,
    )
    return found, listing


def steps(page: Wire, query: Wire) -> tuple[tuple[RunStep, ...], bool, bool]:
    """The steps, oldest first; whether their stamps tell that order; whether they are all of the run's."""
    rows = [(row, s) for row in items(page, "data") if (s := wire.step(row))]
    began, ended = ([moment(row, key) for row, _ in rows] for key in ("created_at", "completed_at"))
    found, _, is_ordered = oldest_first(
        [s for _, s in rows], began if lean(began) else ended, is_ascending=query.get("order") == "asc"
    )
    is_whole = not query.get("after") and not query.get("before") and not has_more(page, query)
    return found, is_ordered, is_whole


def has_more(page: Wire, query: Wire) -> bool:
    """`has_more`; where a server leaves it out, a page of as many as were asked for. One of more is of a server without pages."""
    said = page.get("has_more")
    if isinstance(said, bool):
        return said
    try:
        limit = int(query["limit"])
    except (KeyError, TypeError, ValueError, OverflowError):  # none, or the app's own, of any type
        limit = PAGE_SIZE
    return len(items(page, "data")) == limit
