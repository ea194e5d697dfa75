"""What the traces of a recording must hold, worked out from the recording alone, knowing nothing of runspan.

A Run is started by this recording's own POST. Each create is a Run of its own, also when its ids were used
before; from then on the key (thread, run) means the new one. What is only polled, cancelled or updated here
is somebody else's and leaves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .exchange import Exchange
from .facts import TERMINAL, Facts, RunFacts, Texts

Object = dict[str, Any]


def expected(exchanges: list[Exchange]) -> Facts:
    runs = tuple(run.facts() for run in _book(exchanges).runs)
    failed = [e for e in exchanges if e.status >= 400 and e.method != "GET"]
    return Facts(
        runs=runs,
        failed_creates=sum(e.starts_run for e in failed),
        failed_writes=sum(not e.starts_run for e in failed),
        tokens=(sum(run.input_tokens or 0 for run in runs), sum(run.output_tokens or 0 for run in runs)),
    )


def usages(exchanges: list[Exchange]) -> list[Object]:
    """`Run.usage` of each run that was started, as it was last said."""
    return [run.last.get("usage") or {} for run in _book(exchanges).runs]


def _book(exchanges: list[Exchange]) -> _Book:
    book = _Book()
    for exchange in exchanges:
        if exchange.status < 400:
            book.read(exchange)
    return book


@dataclass
class _Message:
    created_at: int
    content: list[Object]
    streamed: dict[int, str] = field(default_factory=dict)  # all that a cut stream has: deltas by index

    def texts(self) -> tuple[str, ...]:
        whole = tuple(part["text"]["value"] for part in self.content if part["type"] == "text")
        return whole or tuple(text for _, text in sorted(self.streamed.items()))


@dataclass
class _Run:
    last: Object
    messages: dict[str, _Message] = field(default_factory=dict)
    tool_calls: set[str] = field(default_factory=set)

    def facts(self) -> RunFacts:
        status, usage = self.last["status"], self.last.get("usage") or {}
        return RunFacts(
            id=self.last["id"],
            status=status,
            end_was_seen=status in TERMINAL,
            error_type=_error_type(self.last),
            model=self.last.get("model"),
            input_tokens=usage.get("prompt_tokens"),
            output_tokens=usage.get("completion_tokens"),
            outputs=self._outputs(),
            tool_calls=tuple(sorted(self.tool_calls)),
        )

    def _outputs(self) -> Texts:
        in_order = sorted(self.messages.values(), key=lambda message: message.created_at)
        return tuple(texts for message in in_order if (texts := message.texts()))


def _error_type(run: Object) -> str | None:
    if run["status"] == "failed":
        return str(run["last_error"]["code"])
    return "expired" if run["status"] == "expired" else None


class _Book:
    """Reads the exchanges in order and keeps the Runs they start."""

    def __init__(self) -> None:
        self.runs: list[_Run] = []
        self.current: dict[tuple[str, str], _Run] = {}

    def read(self, exchange: Exchange) -> None:
        starting = exchange.starts_run
        for kind, item in _objects(exchange):
            if kind == "thread.run":
                if starting:
                    self._start(item)
                    starting = False
                self._see_run(item)
            elif kind == "thread.message":
                self._see_message(item)
            elif kind == "thread.message.delta":
                self._see_delta(item)
            elif kind == "thread.run.step":
                self._see_step(item)

    def _start(self, run: Object) -> None:
        self.runs.append(_Run(run))
        self.current[run["thread_id"], run["id"]] = self.runs[-1]

    def _see_run(self, run: Object) -> None:
        known = self.current.get((run["thread_id"], run["id"]))
        if known is None:
            return
        if known.last["status"] not in TERMINAL or known.last["status"] == run["status"]:
            known.last = run
        action = run.get("required_action") or {"submit_tool_outputs": {"tool_calls": []}}
        known.tool_calls.update(call["id"] for call in action["submit_tool_outputs"]["tool_calls"])

    def _see_message(self, message: Object) -> None:
        known = self.current.get((message["thread_id"], message.get("run_id") or ""))
        if known is not None:
            seen = known.messages.setdefault(message["id"], _Message(message["created_at"], []))
            seen.content = message["content"] or seen.content

    def _see_delta(self, delta: Object) -> None:
        for run in self.current.values():
            if message := run.messages.get(delta["id"]):
                for part in delta["delta"].get("content") or []:
                    if part["type"] == "text":
                        message.streamed.setdefault(part["index"], "")
                        message.streamed[part["index"]] += part["text"].get("value") or ""

    def _see_step(self, step: Object) -> None:
        known = self.current.get((step["thread_id"], step["run_id"]))
        if known is not None:
            known.tool_calls.update(call["id"] for call in step["step_details"].get("tool_calls") or [])


def _objects(exchange: Exchange) -> Iterator[tuple[str, Object]]:
    """Every API object of an answer with its kind, oldest first."""
    if exchange.is_stream:
        for _, data in exchange.events():
            yield data.get("object", ""), data
    elif isinstance(exchange.body, dict) and exchange.body.get("object") == "list":
        oldest_first = exchange.query.get("order") == "asc"
        for item in exchange.body["data"] if oldest_first else reversed(exchange.body["data"]):
            yield item.get("object", ""), item
    elif isinstance(exchange.body, dict):
        yield exchange.body.get("object", ""), exchange.body
