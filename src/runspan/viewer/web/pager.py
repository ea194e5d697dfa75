"""Where the reader is in a list, and the addresses that lead on, each with the filters of this one."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request


class Pager:
    """Where the reader is in a list, and the way on. `at` counts the pages before this one."""

    def __init__(self, request: Request, at: int, total: int, size: int, name: str = "page") -> None:
        self._request = request
        self._name = name
        self.first = at * size + 1
        self.last = min((at + 1) * size, total)
        self.total = total
        self.before = self.to(**{name: at if at > 1 else None}) if at else ""
        self.after = self.to(**{name: at + 2}) if total > (at + 1) * size else ""

    def at(self, path: str, **changes: str) -> str:
        """Another page's address with the same filters, and these besides."""
        url = self._request.url.remove_query_params([self._name, "sort", "order", *changes])
        query = url.include_query_params(**changes).query
        return f"{path}?{query}" if query else path

    def to(self, **changes: Any) -> str:
        """This page's address with these parameters instead; None or "" takes one out."""
        kept = {self._name: None, **changes}
        url = self._request.url.remove_query_params(
            [key for key, value in kept.items() if value in (None, "")]
        )
        url = url.include_query_params(
            **{key: value for key, value in kept.items() if value not in (None, "")}
        )
        return f"{url.path}?{url.query}" if url.query else url.path


def page_of(request: Request, name: str = "page") -> int:
    """Zero for the first."""
    asked = request.query_params.get(name, "1")
    return (
        min(max(int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 8 else 1, 1), 100_000) - 1
    )
