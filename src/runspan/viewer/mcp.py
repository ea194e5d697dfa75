"""An MCP server over the viewer's JSON API, for coding agents: `python -m runspan.viewer.mcp [URL]`, on stdin and stdout.

It needs `runspan[mcp]` and a running viewer, reads and never changes. With `--token`, set RUNSPAN_UI_TOKEN.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode

from mcp.server import MCPServer

DEFAULT = "http://127.0.0.1:4318"
TOKEN = "RUNSPAN_UI_TOKEN"  # noqa: S105 - the variable's name
WAIT_S = 30.0
INSTRUCTIONS = (
    "Traces of AI apps, kept by the runspan viewer on this machine. Begin with `runs` (errors=true for the bad ones),"
    " then `run` for messages, tool calls and the reason of one, or `trace` for all of its spans."
)


class Api:
    """The viewer's JSON API. Each method is a tool, and its docstring is what the agent reads."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def runs(
        self, errors: bool = False, words: str = "", assistant: str = "", model: str = "", user: str = "", session: str = "",
        thread: str = "", since: str = "", min_duration: str = "", sort: str = "start", limit: int = 20,
    ) -> Any:  # fmt: skip
        """List runs, the newest first: status, question, answer, error, reason, times in seconds, tokens, cost in US dollars.

        errors: only those that ended badly. words: must all be said in it. since: 1h, 24h, 7d or 30d. min_duration: 5s, 500ms.
        sort: start, duration, queue, first_token, tokens or cost, the highest first.
        """
        return self._get(
            "runs", errors="1" if errors else "", q=words, name=assistant, model=model, user=user, session=session,
            thread=thread, since=since, min=min_duration, sort=sort, limit=limit,
        )  # fmt: skip

    def run(self, trace: str, span: str) -> Any:
        """One run with its messages and tool calls, and why it ended badly. `trace` and `span` are those that `runs` gives."""
        return self._get(f"runs/{trace}.{span}")

    def trace(self, trace: str) -> Any:
        """All spans of one trace, with attributes, events and times."""
        return self._get(f"traces/{quote(trace, safe='')}")

    def thread(self, thread: str) -> Any:
        """The whole conversation of a thread."""
        return self._get(f"threads/{quote(thread, safe='')}")

    def stats(
        self, by: str = "assistant", errors: bool = False, since: str = "", user: str = "", model: str = ""
    ) -> Any:
        """Counts, failures, percentiles, tokens and cost. by: assistant, model, status, service, session, user, day, hour."""
        return self._get("stats", by=by, errors="1" if errors else "", since=since, user=user, model=model)

    def _get(self, path: str, **parameters: object) -> Any:
        query = urlencode({key: value for key, value in parameters.items() if value not in ("", None)})
        request = urllib.request.Request(f"{self._url}/api/v1/{path}?{query}")  # noqa: S310 - the user's own address
        if token := os.environ.get(TOKEN):
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return {
                "error": f"the viewer answered {error.code}: {error.read(500).decode('utf-8', 'replace').strip()}"
            }
        except OSError as error:
            return {"error": f"no viewer answers at {self._url} ({error}); start one with `runspan ui`"}


def server(url: str = DEFAULT) -> MCPServer:
    """The server, not running yet."""
    api = Api(url)
    made = MCPServer("runspan", instructions=INSTRUCTIONS)
    for tool in (api.runs, api.run, api.trace, api.thread, api.stats):
        made.tool(structured_output=False)(tool)
    return made


if __name__ == "__main__":
    server(*sys.argv[1:2]).run()
