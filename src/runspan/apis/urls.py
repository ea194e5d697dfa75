"""Paths of URLs, as clients give them: relative, absolute, behind any prefix of a server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

MAX_SEGMENTS = 6  # of the longest path in a table of routes


def paths_from(url: str, word: re.Pattern[str]) -> Iterator[str]:
    """The paths that may be an API's in an absolute URL: from each such word on, as a gateway or a project may be called like one.

    A relative URL without its first slash is one path.
    """
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
