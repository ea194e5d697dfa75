"""Paths of URLs, as clients give them: relative, absolute, behind any prefix of a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from .api import Match

Find = Callable[[str, str], Match | None]

MAX_SEGMENTS = 6  # of the longest path in a table of routes


def matcher(prefixes: tuple[str, ...], word: re.Pattern[str], find: Find) -> Find:
    """(method, URL) -> the endpoint; None: it is not a call of the API. `find` does so for paths that begin with a prefix.

    In an absolute URL a path may begin at each `word`, as a gateway or a project may be called like one.
    """

    def match(method: str, url: str) -> Match | None:
        if url.startswith(prefixes):
            return find(method, url)
        return next(filter(None, (find(method, path) for path in _paths_from(url, word))), None)

    return match


def _paths_from(url: str, word: re.Pattern[str]) -> Iterator[str]:
    """A relative URL without its first slash is one path."""
    _, is_absolute, rest = url.partition("://")
    if not is_absolute:
        yield "/" + url
        return
    path = rest.partition("/")[2].partition("?")[0].rstrip("/")
    path = "/" + "/".join(path.split("/")[-MAX_SEGMENTS:])
    for found in word.finditer(path):
        yield path[found.start() :]


def segments_of(url: str) -> list[str]:
    """The words of a path. Newer clients quote what is unusual in an id; objects hold it as it is."""
    return [unquote(word) for word in url.partition("?")[0].strip("/").split("/")]
