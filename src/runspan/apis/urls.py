"""Paths of URLs, as clients give them: relative, absolute, behind any prefix of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

from .api import Match, Route

Find = Callable[[str, str], Match | None]
Table = Mapping[str, Route]  # by `method /path`, where an id of `Match` stands as `{run}`

MAX_SEGMENTS = 6  # of the longest path in a table of routes


def matcher(table: Table) -> Find:
    """(method, URL) -> the endpoint; None: it is not a call of the API.

    In an absolute URL a path may begin at each word that begins one, as a gateway or a project may be called like it.
    """
    routes: dict[tuple[str, tuple[str | None, ...]], tuple[Route, list[str]]] = {}
    for line, route in table.items():
        method, path = line.split()
        words = segments_of(path)
        names = [f"{word[1:-1]}_id" for word in words if word[0] == "{"]
        routes[method, tuple(None if word[0] == "{" else word for word in words)] = route, names
    literal = {words for _, words in routes if None not in words}
    first = {str(words[0]) for _, words in routes}
    prefixes = tuple(f"/{word}" for word in first)

    def find(method: str, path: str) -> Match | None:
        words = tuple(segments_of(path))
        shape = words if words in literal else tuple(None if n % 2 else word for n, word in enumerate(words))
        if (method.lower(), shape) not in routes:
            return None
        route, names = routes[method.lower(), shape]
        return Match(route, **dict(zip(names, words[1::2], strict=False)))

    def match(method: str, url: str) -> Match | None:
        if url.startswith(prefixes):
            return find(method, url)
        return next(filter(None, (find(method, path) for path in _paths_from(url, first))), None)

    return match


def _paths_from(url: str, first: set[str]) -> Iterator[str]:
    """A relative URL without its first slash is one path."""
    _, is_absolute, rest = url.partition("://")
    if not is_absolute:
        yield "/" + url
        return
    path = rest.partition("/")[2].partition("?")[0].rstrip("/")
    words = path.split("/")[-MAX_SEGMENTS:]
    for n, word in enumerate(words):
        if word in first:
            yield "/" + "/".join(words[n:])


def segments_of(url: str) -> list[str]:
    """The words of a path. Newer clients quote what is unusual in an id; objects hold it as it is."""
    return [unquote(word) for word in url.partition("?")[0].strip("/").split("/")]
