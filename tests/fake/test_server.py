"""The server as a thing to run: its handle, its bounds, its process, its sockets."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from runspan.fake import SCENARIOS, Message, Scenario, Server, serve
from tests.fake.wire import USER, call


def final_text(server: Server, assistant_id: str, thread_id: str | None = None, **headers: str) -> str:
    """What a new run ends with."""
    body: dict[str, Any] = {"assistant_id": assistant_id}
    if thread_id is None:
        body["thread"] = {"messages": [USER]}
    path = f"/threads/{thread_id}/runs" if thread_id else "/threads/runs"
    run = call(server.base_url, "POST", path, body, **headers)[2]
    on = f"/threads/{run['thread_id']}"
    call(server.base_url, "GET", f"{on}/runs/{run['id']}")
    text: str = call(server.base_url, "GET", f"{on}/messages")[2]["data"][0]["content"][0]["text"]["value"]
    return text


def test_the_nearest_word_on_the_scenario_wins(fake: Callable[..., Server]) -> None:
    def saying(text: str) -> Scenario:
        return SCENARIOS["text"].but(phases=(Message(text),))

    server = fake(saying("default"))
    assistant = call(server.base_url, "POST", "/assistants", {"model": "gpt-4o"})[2]["id"]
    thread = call(server.base_url, "POST", "/threads", {"messages": [USER]})[2]["id"]
    assert final_text(server, assistant, thread) == "default"
    server.play_for(assistant, saying("assistant"))
    assert final_text(server, assistant, thread) == "assistant"
    server.play_for(thread, saying("thread"))
    assert final_text(server, assistant, thread) == "thread"
    server.play_next(saying("first"), saying("second"))
    assert final_text(server, assistant, thread) == "first"
    assert (
        final_text(server, assistant, thread, x_fake_scenario="text")
        == "Good to see you. What shall we look at?"
    )
    assert final_text(server, assistant, thread) == "second"
    assert final_text(server, assistant) == "assistant"
    server.scenario = saying("other")
    other = call(server.base_url, "POST", "/assistants", {"model": "gpt-4o"})[2]["id"]
    assert final_text(server, other) == "other"


def test_an_unknown_scenario_is_named_with_the_known_ones(fake: Callable[..., Server]) -> None:
    with pytest.raises(ValueError, match="no scenario 'x'; there are: default"), serve("x"):
        pass
    server = fake()
    assistant = call(server.base_url, "POST", "/assistants", {"model": "gpt-4o"})[2]["id"]
    body = {"assistant_id": assistant, "thread": {"messages": [USER]}}
    status, _, answer = call(server.base_url, "POST", "/threads/runs", body, x_fake_scenario="x")
    assert (status, answer["error"]["message"]) == (400, "No scenario 'x'.")


def test_it_can_be_started_where_a_loop_is_running() -> None:
    async def session() -> int:
        with serve() as server:
            return call(server.base_url, "GET", "/assistants")[0]

    assert asyncio.run(session()) == 200


def test_a_taken_port_is_an_error_and_leaves_no_thread(fake: Callable[..., Server]) -> None:
    with pytest.raises(OSError, match="address already in use"), serve(port=fake().port):
        pass
    assert len([one for one in threading.enumerate() if one.name == "runspan-fake"]) == 1


def test_requests_are_logged_without_secrets_and_within_a_bound(fake: Callable[..., Server]) -> None:
    server = fake(max_requests=2)
    for _ in range(3):
        call(server.base_url, "POST", "/threads?a=b", {"metadata": {"x": "y"}}, authorization="Bearer sk-1")
    assert len(server.requests) == 2
    last = server.requests[-1]
    assert (last.method, last.path, last.status) == ("POST", "/threads", 200)
    assert (dict(last.query), last.json) == ({"a": ["b"]}, {"metadata": {"x": "y"}})
    assert "sk-1" not in repr(last)


def test_the_oldest_threads_go_beyond_the_limit(fake: Callable[..., Server]) -> None:
    server = fake(max_threads=3)
    made = [call(server.base_url, "POST", "/threads", {})[2]["id"] for _ in range(5)]
    assert list(server.state.threads) == made[2:]
    assert call(server.base_url, "GET", f"/threads/{made[0]}")[0] == 404


def test_a_seed_makes_ids_repeat() -> None:
    ids = []
    for _ in range(2):
        with serve(seed=7) as server:
            ids.append(call(server.base_url, "POST", "/threads", {})[2]["id"])
    assert ids[0] == ids[1]
    assert re.fullmatch(r"thread_[0-9a-f]{24}", ids[0])


def test_v1_clients_get_v1_objects(fake: Callable[..., Server]) -> None:
    made = call(fake().base_url, "POST", "/assistants", {"model": "gpt-4"}, openai_beta="assistants=v1")[2]
    assert made["file_ids"] == []
    assert "tool_resources" not in made


def test_pages_go_both_ways(fake: Callable[..., Server]) -> None:
    server = fake()
    made = [call(server.base_url, "POST", "/assistants", {"model": "gpt-4o"})[2]["id"] for _ in range(5)]

    def page(query: str) -> tuple[list[str], bool]:
        listed = call(server.base_url, "GET", f"/assistants?order=asc&{query}")[2]
        assert [listed["first_id"], listed["last_id"]] == [listed["data"][0]["id"], listed["data"][-1]["id"]]
        return [one["id"] for one in listed["data"]], listed["has_more"]

    assert page("limit=2") == (made[:2], True)
    assert page(f"limit=2&after={made[1]}") == (made[2:4], True)
    assert page(f"limit=2&after={made[3]}") == (made[4:], False)
    assert page(f"limit=2&before={made[4]}") == (made[2:4], True)
    assert page(f"limit=2&before={made[2]}") == (made[:2], False)
    assert call(server.base_url, "GET", "/assistants?limit=0")[0] == 400
    assert call(server.base_url, "GET", "/assistants?after=asst_x")[0] == 400


def test_a_connection_is_kept_and_chunked_bodies_are_read(fake: Callable[..., Server]) -> None:
    server = fake()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    sockets = set()
    for _ in range(3):
        connection.request(
            "POST",
            "/v1/threads",
            iter([b'{"meta', b'data": {"a": "b"}}']),
            {"Transfer-Encoding": "chunked"},
            encode_chunked=True,
        )
        sockets.add(connection.sock)
        assert b'"metadata":{"a":"b"}' in connection.getresponse().read()
    connection.close()
    assert len(sockets) == 1


def test_a_stopped_server_leaves_no_thread_and_no_socket() -> None:
    open_before = set(os.listdir("/proc/self/fd"))
    with serve() as server:
        kept = http.client.HTTPConnection(server.host, server.port, timeout=10)
        kept.request("GET", "/v1/assistants")
        kept.getresponse().read()
    with pytest.raises(ConnectionError):
        call(server.base_url, "GET", "/assistants")
    kept.close()
    assert not [one for one in threading.enumerate() if one.name == "runspan-fake"]
    assert set(os.listdir("/proc/self/fd")) <= open_before


def test_a_connection_that_is_just_being_accepted_is_closed_too() -> None:
    open_before = set(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with serve() as server:
            fresh = [socket.create_connection((server.host, server.port)) for _ in range(3)]
        for one in fresh:
            one.close()
        assert set(os.listdir("/proc/self/fd")) <= open_before


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_address_and_stops_on_a_signal(stop: signal.Signals) -> None:
    command = [
        sys.executable,
        "-X",
        "dev",
        "-W",
        "error",
        "-m",
        "runspan.fake",
        "--port",
        "0",
        "--scenario",
        "text",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", address)
        assert call(address, "GET", "/assistants")[0] == 200
        process.send_signal(stop)
        assert (process.wait(30), process.stderr.read()) == (0, "")
