"""A forward proxy for HTTP, as some networks have it for their only way out."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.listening import Handler, listening


@dataclass
class Proxy:
    url: str = ""
    hosts: list[str | None] = field(default_factory=list)  # that were asked for, one a request


@contextmanager
def forwarding(to: str) -> Iterator[Proxy]:
    """Whatever host is asked for, `to` answers."""
    proxy, target = Proxy(), urlsplit(to)

    class Forward(Handler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            proxy.hosts.append(asked.hostname)
            there = http.client.HTTPConnection(target.hostname or "", target.port)
            path = f"{asked.path}?{asked.query}" if asked.query else asked.path
            there.request(self.command, path, self.body(), dict(self.headers))
            answer = there.getresponse()
            content = answer.read()
            there.close()
            self.answer(answer.status, content, content_type=answer.headers.get("content-type", ""))

        do_POST = do_GET  # noqa: N815 - the library names it

    with listening(Forward) as proxy.url:
        yield proxy
