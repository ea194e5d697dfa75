"""The MCP server as an agent meets it: a process of its own, spoken to over stdin and stdout by the official client."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runspan.viewer import Viewer, serve

from ..runs import a_run
from ..wire import export, post

pytest.importorskip("mcp", reason="mcp is not installed (pip install 'runspan[mcp]')")

Send = Callable[..., None]


def ask(url: str, *calls: tuple[str, dict[str, Any]], token: str = "") -> tuple[list[str], list[Any]]:
    """(the tools' names, the answer of each call)."""
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters

    environment = {"RUNSPAN_UI_TOKEN": token} if token else {}
    program = StdioServerParameters(
        command=sys.executable, args=["-m", "runspan.viewer.mcp", url], env=environment
    )

    async def talk() -> tuple[list[str], list[Any]]:
        async with Client(program) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            answers = [await client.call_tool(name, arguments) for name, arguments in calls]
        return tools, [json.loads(answer.content[0].text) for answer in answers]  # type: ignore[union-attr]

    return asyncio.run(talk())


def test_an_agent_asks_for_the_last_failed_run_and_why(viewer: Viewer, send: Send) -> None:
    send(*a_run(1, "Fine?", "Yes."))
    send(*a_run(2, "Late?", "", at_ms=9_000, status="expired"))
    tools, (runs, run, thread, stats, missing) = ask(
        viewer.endpoint,
        ("runs", {"errors": True, "limit": 5}),
        ("run", {"trace": f"{2:032x}", "span": f"{2:016x}"}),
        ("thread", {"thread": "thread_1"}),
        ("stats", {"by": "status"}),
        ("trace", {"trace": "junk"}),
    )
    assert tools == ["runs", "run", "trace", "thread", "stats"]
    assert [one["question"] for one in runs["runs"]] == ["Late?"]
    assert "time limit" in runs["runs"][0]["reason"]
    assert [tool["name"] for tool in run["tools"]] == ["get_weather"]
    assert len(thread["runs"]) == 2
    assert stats["total"]["runs"] == 2
    assert "404" in missing["error"]


@pytest.mark.wide  # three processes
def test_what_is_wrong_is_said_with_the_cure(tmp_path: Path) -> None:
    with serve(port=0, db=tmp_path / "t.db", token="s3cret") as viewer:
        assert post(viewer.port, export(*a_run(1)), Authorization="Bearer s3cret").status == 200
        _, (refused,) = ask(viewer.endpoint, ("runs", {}))
        assert "401" in refused["error"]
        _, (found,) = ask(viewer.endpoint, ("runs", {}), token="s3cret")
        assert found["total"] == 1
        url = viewer.endpoint
    _, (gone,) = ask(url, ("runs", {}))
    assert "runspan ui" in gone["error"]
