"""Everything an app saw while a recording was played, as plain values, and how two such records differ."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import BaseModel

SHOWN = 60  # lines of a difference that are printed
ERROR_FIELDS = ("status_code", "code", "param", "type", "body", "request_id", "message")


@dataclass
class Record:
    journal: list[dict[str, Any]] = field(default_factory=list)  # results, errors, events, callbacks
    warnings: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)  # what reached the server

    def note(self, what: str, value: Any) -> None:
        self.journal.append({"saw": what, "value": plain(value)})


def plain(value: Any) -> Any:
    """A copy that later changes cannot reach, with the types in it."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, BaseModel):
        data = value.model_dump(exclude_unset=True, warnings=False)
        return {"class": type_name(value), "request_id": getattr(value, "_request_id", None), "data": data}
    if isinstance(value, BaseException):
        fields = {name: plain(getattr(value, name)) for name in ERROR_FIELDS if hasattr(value, name)}
        return {"class": type_name(value), "str": str(value), "cause": plain(value.__cause__), **fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "content") and hasattr(value, "response"):  # a download
        return {"class": type_name(value), "content": plain(value.content)}
    return {"class": type_name(value)}


def type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def difference(expected: Record, got: Record) -> str:
    """Empty when both are equal; else the first differing lines, as a unified diff of their leaves."""
    if expected == got:
        return ""
    sides = (_lines(expected), _lines(got), "without runspan", "with runspan")
    shown = list(difflib.unified_diff(*sides, lineterm="", n=6))
    rest = [f"... and {len(shown) - SHOWN} more lines"] if len(shown) > SHOWN else []
    return "\n".join(shown[:SHOWN] + rest)


def _lines(record: Record) -> list[str]:
    return json.dumps(asdict(record), indent=1, ensure_ascii=False, default=repr).splitlines()
