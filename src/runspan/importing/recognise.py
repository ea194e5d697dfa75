"""Decoded JSON -> objects of APIs and recorded calls, by what it holds: names of files and folders say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ..apis.archives import Archive, Archived, Kind, Remark, Unreadable
from ..apis.assistants.archive import ARCHIVE as ASSISTANTS
from ..apis.responses.archive import ARCHIVE as RESPONSES
from ..core.fields import Wire
from ..core.order import lean

ARCHIVES: Mapping[str, Archive] = {archive.api.name: archive for archive in (ASSISTANTS, RESPONSES)}
MAX_DEPTH = 3  # of lists in lists
MAX_SHOWN = 40  # characters of a foreign word in a reason


class Found(Struct, frozen=True):
    """An object, and whose it is. `falls`: those behind it in its list are older."""

    api: str
    object: Archived
    falls: bool = False


class Recorded(Struct, frozen=True):
    """One exchange of recorded traffic: `{"request": {...}, "response": {...}}`."""

    wire: Wire


Item = Found | Recorded | Unreadable | Remark


def may_cut(fields: Wire, name: str) -> bool:
    """Whether a long list of an object can be read in pieces: those of a page, and those that an API's archive names."""
    is_page = name == "data" and fields.get("object") in (None, "list")
    return is_page or any(archive.may_cut(fields, name) for archive in ARCHIVES.values())


def recognised(value: Any) -> list[Item]:
    """All that a value holds, as it stands there; what can't be read of it for one reason is told once."""
    items = _ordered(list(_items(value)))
    told: list[Item] = []
    for why, alike in groupby(items, key=lambda item: item.reason if isinstance(item, Unreadable) else None):
        same = list(alike)
        told += same if why is None or len(same) == 1 else [Unreadable(f"{why} ({len(same):,} of them)")]
    return told


def _items(value: Any, depth: int = 0, *, falls: bool = False) -> Iterator[Item]:
    if isinstance(value, list) and depth < MAX_DEPTH:
        for element in value:
            yield from _items(element, depth + 1, falls=falls)
    elif not isinstance(value, dict):
        yield _foreign(value)
    elif _is_recorded(value):
        yield Recorded(value)
    elif isinstance(value.get("data"), list) and value.get("object") in (None, "list"):
        yield from _items(value["data"], depth, falls=value.get("order") != "asc")
    else:
        yield from _object(value, falls)


def _is_recorded(value: Wire) -> bool:
    request, response = value.get("request"), value.get("response")
    return (
        isinstance(request, dict)
        and isinstance(response, dict)
        and isinstance(request.get("method"), str)
        and isinstance(request.get("path"), str)
    )


def _object(wire: Wire, falls: bool) -> Iterator[Item]:
    for name, archive in ARCHIVES.items():
        found = archive.read(wire)
        if found is not None:
            yield from (Found(name, read, falls) if isinstance(read, Archived) else read for read in found)
            return
    yield _foreign(wire)


def _foreign(value: Any) -> Unreadable:
    if not isinstance(value, dict):
        return Unreadable(f"no object, but {type(value).__name__}")
    kind = value.get("object")
    if isinstance(kind, str):
        return Unreadable(f"an object of an unknown kind: {kind[:MAX_SHOWN]}")
    if "resourceSpans" in value:
        return Unreadable("traces already, in OTLP: runspan replay sends them")
    keys = ", ".join(str(key)[:MAX_SHOWN] for key in list(value)[:4])
    return Unreadable(f"an unknown object{f' with {keys}' if keys else ', empty'}")


# ---------------------------------------------------------------- order


def _ordered(items: list[Item]) -> list[Item]:
    """Stamps tell whether a list falls. They are whole seconds: where all are of one, a page is newest first, as servers list."""
    leans = {key: lean(moments) for key, moments in _moments(items).items()}
    return [_leaning(item, leans[_key(item)]) if isinstance(item, Found) else item for item in items]


def _leaning(item: Found, leaning: int) -> Found:
    return replace(item, falls=leaning < 0) if leaning and item.falls is not (leaning < 0) else item


def _moments(items: list[Item]) -> dict[tuple[Kind, str], list[int | None]]:
    found: dict[tuple[Kind, str], list[int | None]] = {}
    for item in items:
        if isinstance(item, Found):
            found.setdefault(_key(item), []).append(item.object.at)
    return found


def _key(item: Found) -> tuple[Kind, str]:
    return item.object.kind, item.object.place
