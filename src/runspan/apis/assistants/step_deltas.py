"""Tool calls of a stream that was cut before their step completed, out of `thread.run.step.delta` events.

A delta brings the head of a call first (id, type, name), then its arguments or code in pieces, then its outputs one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...core.fields import ident_of, member
from ...core.model import Part, RunStep, ToolCall
from ..api import StepPieces
from ..text_pieces import KeyOf

CALL_CHARS = 200  # what a call costs beside its texts
_TEXT_OF = {"function": "arguments", "code_interpreter": "input"}


@dataclass(slots=True)
class _Pieces:
    """One call so far."""

    id: str = ""
    type: str = "function"
    name: str | None = None
    text: list[str] = field(default_factory=list)
    logs: dict[int, list[str]] = field(default_factory=dict)  # by the output's index
    images: dict[int, str] = field(default_factory=dict)

    def call(self, *, is_cut: bool) -> ToolCall:
        outputs = {n: Part("logs", "".join(pieces)) for n, pieces in self.logs.items()}
        outputs |= {n: Part("image", None, {"file_id": id_}) for n, id_ in self.images.items()}
        return ToolCall(
            self.id,
            self.type,
            self.name if self.type == "function" else self.type,
            "".join(self.text) if self.type in _TEXT_OF else None,
            outputs=tuple(outputs[n] for n in sorted(outputs)),
            is_incomplete=is_cut,
        )


class StepDeltas(StepPieces):
    """Takes the deltas of one stream, as dicts or models of the client; keeps no more of them than `max_chars`."""

    def __init__(self, max_chars: int) -> None:
        self._left = max_chars
        self._steps: dict[str, dict[int, _Pieces]] = {}

    def take(self, delta: Any, key_of: KeyOf) -> None:
        calls = member(member(member(delta, "delta"), "step_details"), "tool_calls")
        if not isinstance(calls, list):
            return
        id_ = ident_of(member(delta, "id"))
        id_ = key_of(id_) or id_
        for call in calls:
            index = member(call, "index")
            known = self._known(id_, index) if isinstance(index, int) else None
            if known is not None:
                self._add(known, call)

    def ended(self, key: str) -> None:
        self._steps.pop(key, None)

    def steps(self, *, is_cut: bool) -> tuple[RunStep, ...]:
        return tuple(
            RunStep(id_, "tool_calls", tool_calls=tuple(calls[n].call(is_cut=is_cut) for n in sorted(calls)))
            for id_, calls in self._steps.items()
        )

    def _known(self, step_id: str, index: int) -> _Pieces | None:
        """The call so far; None where there is no room for one more."""
        calls = self._steps.get(step_id, {})
        if index not in calls and self._has_room(CALL_CHARS):
            calls[index] = _Pieces()
            self._steps[step_id] = calls
        return calls.get(index)

    def _add(self, known: _Pieces, call: Any) -> None:
        known.id = ident_of(member(call, "id")) or known.id
        known.type = _word(call, "type") or known.type
        body = member(call, known.type)
        known.name = _word(body, "name") or known.name
        text = _word(body, _TEXT_OF.get(known.type, ""))
        if text and self._has_room(len(text)):
            known.text.append(text)
        outputs = member(body, "outputs")
        for output in outputs if isinstance(outputs, list) else ():
            index = member(output, "index")
            if isinstance(index, int):
                logs, image = _word(output, "logs"), _word(member(output, "image"), "file_id")
                if logs and self._has_room(len(logs)):
                    known.logs.setdefault(index, []).append(logs)
                if image is not None and self._has_room(len(image)):
                    known.images[index] = image

    def _has_room(self, chars: int) -> bool:
        has_room = chars <= self._left
        self._left -= chars if has_room else 0
        return has_room


def _word(obj: Any, name: str) -> str | None:
    value = member(obj, name)
    return value if isinstance(value, str) else None
