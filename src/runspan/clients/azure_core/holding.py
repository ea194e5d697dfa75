"""Whether the app still holds what it was given of a run that waits for tool outputs.

The client makes its models after the pipeline is through with a response, so none can be referred to here. They share the texts
of the decoded body. A text takes no weak reference, but its owners can be counted.
"""

from __future__ import annotations

import sys
from typing import Any

from ..result_copy import inside

_count = getattr(sys, "getrefcount", None)  # of CPython


class TextReference:
    """Like a weak reference: `reference()` is the text as long as somebody else holds it, else None."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def owners(self) -> int:
        """Ours included."""
        return _count(self._text) if _count is not None else 0

    def __call__(self) -> str | None:
        return self._text if self.owners() > _OURS else None


_OURS = TextReference("".join(("nobody", "else"))).owners()  # counted so, as versions of CPython differ


def held(run: Any, path: tuple[str, ...]) -> list[Any]:
    """References to texts of the calls that `path` leads to in a decoded run."""
    texts = [text for one in inside(run, path) if isinstance(one, dict) for text in one.values()]
    return [TextReference(text) for text in texts if isinstance(text, str) and len(text) > 1]
