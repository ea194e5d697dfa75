"""A trace as one readable JSON value: ids and ports of the day left out, attributes that hold JSON opened up.

Golden files are compared whole; `pytest --update` rewrites them.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from runspan.clients.pace import Pace
from runspan.fake import Clock
from runspan.runtime import clock

TRACES = Path(__file__).parents[1] / "traces"
SHOWN = 3  # of a long list, at either end
ID = re.compile(r"\b(run|thread|msg|asst|step|call|vs|file)(_|-)(?=\w*\d)\w{6,}")
# How clients of different ages say it.
BROKEN = re.compile(
    r"APIConnectionError|RemoteProtocolError|Connection error\.|peer closed connection without[\w ]+\(incomplete chunked read\)"
)
# What depends on how fast the machine is, where a stream is read in real time.
TIMED = re.compile(r"runspan\.run\.\w+_s|gen_ai\.response\.time_to_first_chunk")
CLOCKED = (
    "runtime.clock",
    "clients.starts",
    "clients.results",
    "clients.taps",
    "clients.openai.stream_manager",
)
NS = 1_000_000_000


@contextmanager
def one_clock(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[None]:
    """Our clock shows the server's simulated time, so that all times of a polled run are known beforehand."""

    def now_ns() -> int:
        return round(clock.now() * 1_000) * 1_000_000

    # All are imported before any is patched: they import the clock's function from one another.
    modules = [import_module(f"runspan.{name}") for name in CLOCKED]
    with monkeypatch.context() as patch:
        for module in modules:
            patch.setattr(module, "now_ns", now_ns)
        patch.setattr(modules[0], "wall_offset_ns", lambda: 0)
        yield


@contextmanager
def app_keeps_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The fake sends a stream in bursts, so nobody can wait for an event of it: the app is taken to have waited for each."""
    with monkeypatch.context() as patch:
        patch.setattr(Pace, "moment", lambda _: (clock.now_ns(),) * 2)
        yield


def tree(spans: Sequence[ReadableSpan], root: ReadableSpan, *, is_timed: bool) -> dict[str, Any]:
    """`root` and what is below, children in the order in which they began. Not `is_timed`: the order is all that counts."""
    text = json.dumps(_span(spans, root, root.start_time or 0, is_timed=is_timed), ensure_ascii=False)
    whole: dict[str, Any] = json.loads(_with_plain_ids(BROKEN.sub("the connection broke", text)))
    return whole


def check(name: str, found: dict[str, Any], *, update: bool) -> None:
    """`found` is what tests/traces/NAME.json holds."""
    path = TRACES / f"{name}.json"
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    if update:
        path.write_text(text, "utf-8")
    kept = path.read_text("utf-8")
    if found != json.loads(kept):  # clients of different ages have objects in different orders
        lines = difflib.unified_diff(kept.splitlines(), text.splitlines(), "kept", "found", lineterm="", n=1)
        pytest.fail(f"{name} differs (pytest --update, if it may):\n" + "\n".join(lines), pytrace=False)


def _span(spans: Sequence[ReadableSpan], of: ReadableSpan, zero_ns: int, *, is_timed: bool) -> dict[str, Any]:
    children = [s for s in spans if s.parent and of.context and s.parent.span_id == of.context.span_id]
    children.sort(key=lambda s: s.start_time or 0)
    told: dict[str, Any] = {"name": of.name, "kind": of.kind.name}
    if is_timed:
        told["at_s"] = [_seconds(of.start_time, zero_ns), _seconds(of.end_time, zero_ns)]
    if of.status.status_code.name != "UNSET":
        told["status"] = f"{of.status.status_code.name} {of.status.description}"
    told["attributes"] = {k: _value(k, v, is_timed) for k, v in sorted((of.attributes or {}).items())}
    if of.events:
        told["events"] = [_event(e, zero_ns, is_timed) for e in of.events]
    if children:
        told["children"] = [_span(spans, child, zero_ns, is_timed=is_timed) for child in children]
    return told


def _event(event: Any, zero_ns: int, is_timed: bool) -> str:
    at = f"{_seconds(event.timestamp, zero_ns):.3f} " if is_timed else ""
    return f"{at}{event.name} {json.dumps(dict(event.attributes), ensure_ascii=False)}"


def _seconds(at_ns: int | None, zero_ns: int) -> float:
    return round(((at_ns or 0) - zero_ns) / NS, 3)


def _value(key: str, value: Any, is_timed: bool) -> Any:
    if key == "server.port":
        return "the fake's"
    if TIMED.fullmatch(key) and not is_timed:
        return "some"
    if isinstance(value, float):
        return round(value, 9 if ".cost" in key else 3)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return _short(json.loads(value))
        except ValueError:
            return value
    return value


def _short(value: Any) -> Any:
    """Long lists without their middle, so that a page shows the trace."""
    if isinstance(value, dict):
        return {k: _short(v) for k, v in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) <= 3 * SHOWN:
        return [_short(v) for v in value]
    return [
        *map(_short, value[:SHOWN]),
        f"... {len(value) - 2 * SHOWN} more ...",
        *map(_short, value[-SHOWN:]),
    ]


def _with_plain_ids(text: str) -> str:
    """`run_1`, `call_2` ... in the order in which they stand."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}

    def plain(found: re.Match[str]) -> str:
        id_, kind, mark = found[0], found[1], found[2]
        if id_ not in names:
            counts[kind] = counts.get(kind, 0) + 1
            names[id_] = f"{kind}{mark}{counts[kind]}"
        return names[id_]

    return ID.sub(plain, text)
