"""The JSON API: what the pages show, and what changes the store; for this viewer's own pages and programs alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from runspan.viewer import RunFilter, Viewer

from ..hand_made import span
from ..runs import a_run
from ..wire import Answer, call, export

Get = Callable[[str], Answer]
Send = Callable[..., None]
TRACE, RUN = f"{1:032x}", f"{1:032x}.{2:016x}"


def data(answer: Answer) -> Any:
    assert answer.status == 200, answer.text
    return json.loads(answer.body)


def three(send: Send) -> None:
    for n, status in ((1, "completed"), (2, "failed"), (3, "expired")):
        more = {"session.id": f"s{n}", "user.id": f"u{n % 2}"}
        send(*a_run(n, f"question {n}", f"answer {n}", at_ms=n * 10_000, status=status, more=more))


def test_the_last_failed_runs_and_why(get: Get, send: Send) -> None:
    three(send)
    found = data(get("/api/v1/runs?errors=1&limit=1"))
    assert found["total"] == 2
    (run,) = found["runs"]
    assert (run["question"], run["status"], run["ended_badly"]) == ("question 3", "expired", True)
    assert "submit them sooner" in run["reason"]
    assert [r["question"] for r in data(get("/api/v1/runs?limit=1&page=3"))["runs"]] == ["question 1"]


def test_a_run_a_trace_a_thread_and_a_session(get: Get, send: Send) -> None:
    three(send)
    run = data(get(f"/api/v1/runs/{RUN}"))
    assert run["input"] == [
        {
            "role": "user",
            "is_cut": False,
            "parts": [
                {"kind": "text", "text": "question 1", "name": "", "id": "", "notes": [], "source": ""}
            ],
        }
    ]
    assert [tool["name"] for tool in run["tools"]] == ["get_weather"]
    assert run["output"][0]["parts"][0]["text"] == "answer 1"
    trace = data(get(f"/api/v1/traces/{TRACE.upper()}"))
    assert [one["name"] for one in trace["spans"]] == [one.name for one in a_run(1)]
    assert trace["spans"][1]["attributes"]["runspan.run.status"] == "completed"
    assert [one["question"] for one in data(get("/api/v1/threads/thread_1"))["runs"]] == [
        "question 1",
        "question 2",
        "question 3",
    ]
    assert data(get("/api/v1/sessions/s2"))["total"]["failed"] == 1
    assert len(data(get("/api/v1/traces?errors=1"))["traces"]) == 2


def test_stats_are_those_of_the_store(viewer: Viewer, get: Get, send: Send) -> None:
    three(send)
    found = data(get("/api/v1/stats?by=user&by=nonsense"))
    assert {group["user"]: (group["runs"], group["failed"]) for group in found["groups"]} == {
        "u0": (1, 1),
        "u1": (2, 1),
    }
    assert found["total"]["input_tokens"] == sum(stat.input_tokens or 0 for stat in viewer.store.stats())


def test_values_that_json_has_not(get: Get, send: Send) -> None:
    send(
        span(
            1,
            0,
            "odd",
            0,
            1,
            attributes={"bytes": b"\x01\xff", "nan": float("nan"), "list": [float("inf"), "x"]},
        )
    )
    attributes = data(get(f"/api/v1/traces/{TRACE}"))["spans"][0]["attributes"]
    assert attributes == {"bytes": "01ff", "nan": None, "list": [None, "x"]}


def test_an_export_is_what_the_filter_shows_and_can_be_taken_in(viewer: Viewer, get: Get, send: Send) -> None:
    three(send)
    lines = get("/api/v1/export?errors=1").body
    assert lines.count(b"\n") == 2
    assert data(call(viewer.port, "DELETE", "/api/v1/runs?all=1"))["deleted"] == 3
    assert viewer.store.count_spans() == 0
    taken = data(call(viewer.port, "POST", "/api/v1/import", gzip.compress(lines)))
    assert taken == {"spans": 8, "warnings": []}
    assert [run.question for run in viewer.store.runs(RunFilter())] == ["question 3", "question 2"]
    broken = call(viewer.port, "POST", "/api/v1/import", b"no OTLP")
    assert (broken.status, json.loads(broken.body)["error"]) == (
        400,
        "the file is no file of traces: neither OTLP JSON nor OTLP protobuf",
    )


def test_deleting_takes_all_of_a_trace_out_and_leaves_the_others(viewer: Viewer, send: Send) -> None:
    three(send)
    assert data(call(viewer.port, "DELETE", f"/api/v1/traces/{TRACE}")) == {"deleted": 1}
    assert call(viewer.port, "DELETE", f"/api/v1/traces/{TRACE}").status == 404
    assert viewer.store.spans(TRACE) == []
    assert viewer.store.count_runs(RunFilter(words='"question 1"')) == 0
    assert data(call(viewer.port, "DELETE", "/api/v1/runs?session=s2")) == {"deleted": 1}
    assert [run.question for run in viewer.store.runs(RunFilter())] == ["question 3"]
    assert call(viewer.port, "DELETE", "/api/v1/runs").status == 400
    assert viewer.store.count_traces() == 1


def test_what_is_kept_stays(viewer: Viewer, send: Send) -> None:
    three(send)
    assert data(call(viewer.port, "POST", f"/api/v1/traces/{TRACE}/keep")) == {"is_kept": True}
    assert data(call(viewer.port, "DELETE", "/api/v1/runs?all=1"))["deleted"] == 2
    assert [run.trace for run in viewer.store.runs(RunFilter())] == [TRACE]
    assert data(call(viewer.port, "POST", f"/api/v1/traces/{TRACE}/release")) == {"is_kept": False}
    assert data(call(viewer.port, "DELETE", "/api/v1/runs?all=1"))["deleted"] == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/api/v1/runs?all=1"), ("DELETE", f"/api/v1/traces/{TRACE}"), ("POST", f"/api/v1/traces/{TRACE}/keep"),
     ("POST", "/api/v1/import"), ("GET", "/api/v1/runs")],
)  # fmt: skip
def test_pages_of_other_origins_can_do_nothing(viewer: Viewer, send: Send, method: str, path: str) -> None:
    send(*a_run(1))
    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Host": "evil.example"},
    ):
        assert (
            call(viewer.port, method, path, export(*a_run(2)) if method == "POST" else b"", headers).status
            == 403
        )
    assert (viewer.store.count_traces(), viewer.store.is_kept(TRACE)) == (1, False)


@pytest.mark.parametrize(
    "path", ["runs/x.y", "traces/xyz", "traces/" + "f" * 32, "threads/nobody", "sessions/", "nothing"]
)
def test_what_is_not_there_is_said(get: Get, path: str) -> None:
    assert get(f"/api/v1/{path}").status == 404


def test_the_index_names_every_endpoint(get: Get) -> None:
    index = data(get("/api/v1"))
    assert index["version"] == 1
    assert "GET /runs" in index["endpoints"]
