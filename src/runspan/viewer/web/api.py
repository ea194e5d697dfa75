"""The JSON API, version 1: what the pages show, for scripts and coding agents. Documented in docs/viewer.md.

Filters are the parameters of the pages' addresses, so a page's address becomes a request by its path alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from runspan.viewer.conversation import Said
from runspan.viewer.endings import reason
from runspan.viewer.spans import LogRecord, Span
from runspan.viewer.store import Run, RunFilter, Store
from runspan.viewer.store.files import load
from runspan.viewer.store.numbers import BY, totals
from runspan.viewer.web import otlp_json, talk
from runspan.viewer.web.asking import asked
from runspan.viewer.web.panel import exchange
from runspan.viewer.web.results import tools

PREFIX = "/api/v1"
LIMIT, MAX_LIMIT = 50, 1_000
MAX_TURNS = 1_000
MAX_FILE = 2**30  # bytes
NEITHER = ("outer", "is_bad", "sort")  # columns of a run that are ours

ENDPOINTS: Mapping[str, str] = {
    "GET /runs": "runs with filters: q, errors=1, status, name, model, service, thread, session, user, attr, since, day, min;"
    " sort, order=asc, limit, page",
    "GET /runs/{trace}.{span}": "one run with its messages and tool calls, and why it ended badly",
    "GET /traces": "traces with the same filters",
    "GET /traces/{trace}": "one trace with all its spans",
    "GET /threads/{id}": "a thread's runs with their messages; also /sessions/{id}",
    "GET /stats": "sums and percentiles; by=assistant, model, status, service, session, user, day or hour, more than once",
    "GET /export": "the traces of the runs that a filter shows, as OTLP JSON lines",
    "POST /import": "a file of OTLP (JSON, JSON lines or protobuf, gzipped or not) as the body",
    "POST /traces/{trace}/keep": "never remove the trace by age or size; /release undoes it",
    "DELETE /traces/{trace}": "delete one trace",
    "DELETE /runs": "delete the traces of the runs that a filter shows, but kept ones; all=1 where no filter is given",
}  # fmt: skip


class Api:
    """One method an endpoint. `routes` is all of it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PREFIX, self.index),
            Route(f"{PREFIX}/runs", self.runs),
            Route(f"{PREFIX}/runs", self.delete, methods=["DELETE"]),
            Route(f"{PREFIX}/runs/{{trace}}.{{span}}", self.run),
            Route(f"{PREFIX}/traces", self.traces),
            Route(f"{PREFIX}/traces/{{trace}}", self.trace),
            Route(f"{PREFIX}/traces/{{trace}}", self.delete_trace, methods=["DELETE"]),
            Route(f"{PREFIX}/traces/{{trace}}/{{what:path}}", self.keep, methods=["POST"]),
            Route(f"{PREFIX}/threads/{{name:path}}", self.thread),
            Route(f"{PREFIX}/sessions/{{name:path}}", self.session),
            Route(f"{PREFIX}/stats", self.stats),
            Route(f"{PREFIX}/export", self.export),
            Route(f"{PREFIX}/import", self.take, methods=["POST"]),
        ]

    def index(self, _: Request) -> Response:
        return JSONResponse({"version": 1, "endpoints": ENDPOINTS})

    # ---------------------------------------------------------------- reading

    def runs(self, request: Request) -> Response:
        limit, offset = _window(request)
        found, total = self._store.page(asked(request).of, limit, offset)
        return JSONResponse({"runs": list(map(run_json, found)), "total": total})

    def run(self, request: Request) -> Response:
        run = self._store.run(request.path_params["trace"].lower(), request.path_params["span"].lower())
        return _none() if run is None else JSONResponse(self._with_messages(run))

    def traces(self, request: Request) -> Response:
        limit, offset = _window(request)
        of = asked(request).of
        return JSONResponse(
            {"traces": [row._asdict() for row in self._store.traces(of.words, limit, offset, of=of)]}
        )

    def trace(self, request: Request) -> Response:
        trace_id = request.path_params["trace"].lower()
        spans = self._store.spans(trace_id)
        if not spans:
            return _none()
        runs = list(map(run_json, self._store.runs_of_trace(trace_id)))
        return _json({"trace": trace_id, "runs": runs, "spans": [asdict(span) for span in spans]})

    def thread(self, request: Request) -> Response:
        return self._talk(RunFilter(thread=request.path_params["name"], is_ascending=True))

    def session(self, request: Request) -> Response:
        return self._talk(RunFilter(session=request.path_params["name"], is_ascending=True))

    def _talk(self, of: RunFilter) -> Response:
        runs = self._store.runs(of, MAX_TURNS) if of.is_narrow() else []
        if not runs:
            return _none()
        return _json({"runs": list(map(self._with_messages, runs)), "total": asdict(talk.totals(runs))})

    def stats(self, request: Request) -> Response:
        by = [key for key in dict.fromkeys(request.query_params.getlist("by")) if key in BY] or [
            "assistant",
            "model",
        ]
        groups = self._store.groups_of_numbers(asked(request).of, by)
        return JSONResponse(
            {"groups": [group.as_json() for group in groups], "total": totals(groups).as_json()}
        )

    def export(self, request: Request) -> Response:
        ids = self._store.traces_with(asked(request).of, with_kept=True)
        headers = {"Content-Disposition": 'attachment; filename="traces.jsonl"'}
        return StreamingResponse(self._lines(ids), media_type="application/jsonl", headers=headers)

    def _lines(self, ids: Iterable[str]) -> Iterator[bytes]:
        for trace in ids:
            if body := otlp_json.export(self._store.packed(trace)):
                yield body + b"\n"

    def _with_messages(self, run: Run) -> dict[str, Any]:
        spans, logs = self._store.run_spans(run.trace, run.span), self._store.logs(run.trace)
        return run_json(run) | messages_json(run, spans, logs)

    # ---------------------------------------------------------------- changing

    async def take(self, request: Request) -> Response:
        """A file's spans, once all of it is here."""
        with tempfile.TemporaryDirectory(prefix="runspan-") as folder:
            path = Path(folder) / "the file"
            size = 0
            with path.open("wb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > MAX_FILE:
                        return JSONResponse({"error": f"the file is larger than {MAX_FILE} bytes"}, 413)
                    file.write(chunk)
            told: list[str] = []
            try:
                count = await run_in_threadpool(load, self._store, path, told.append)
            except ValueError as error:
                return JSONResponse({"error": str(error).replace(f"{folder}/", "")}, 400)
        return JSONResponse({"spans": count, "warnings": [line.replace(f"{folder}/", "") for line in told]})

    def keep(self, request: Request) -> Response:
        what = request.path_params["what"]
        if what not in ("keep", "release") or not self._store.keep(
            request.path_params["trace"], what == "keep"
        ):
            return _none()
        return JSONResponse({"is_kept": what == "keep"})

    def delete_trace(self, request: Request) -> Response:
        gone = self._store.delete([request.path_params["trace"]])
        return JSONResponse({"deleted": gone}) if gone else _none()

    def delete(self, request: Request) -> Response:
        of = asked(request).of
        if not of.is_narrow():
            if request.query_params.get("all") != "1":
                return JSONResponse(
                    {"error": "no filter is given; all=1 deletes everything that is not kept"}, 400
                )
            return JSONResponse({"deleted": self._store.clear()})
        return JSONResponse({"deleted": self._store.delete(self._store.traces_with(of))})


def run_json(run: Run) -> dict[str, Any]:
    """A run as the API gives it."""
    facts = {name: value for name, value in run._asdict().items() if name not in NEITHER}
    why = reason(run.status, run.unfinished, run.error)
    return {
        **facts, "kind": "run" if run.sort == "run" else "model_call", "ended_badly": bool(run.is_bad), "reason": why,
        "is_inside_a_run": run.outer is not None, "url": f"/trace/{run.trace}?span={run.span}",
    }  # fmt: skip


def messages_json(run: Run, spans: list[Span], logs: list[LogRecord]) -> dict[str, Any]:
    """What was asked, done and answered."""
    own = next((span for span in spans if span.span_id == run.span), None)
    given, answered = exchange(own, spans, logs) if own else ((), ())
    return {
        "input": list(map(_said, given)),
        "tools": [asdict(tool) for tool in tools(spans)],
        "output": list(map(_said, answered)),
    }


def _said(said: Said) -> dict[str, Any]:
    return {"role": said.role, "parts": [asdict(part) for part in said.parts], "is_cut": said.is_cut}


def _window(request: Request) -> tuple[int, int]:
    limit, page = (_number(request, name, least) for name, least in (("limit", LIMIT), ("page", 1)))
    limit = min(max(limit, 1), MAX_LIMIT)
    return limit, (max(page, 1) - 1) * limit


def _number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 8 else default


def _json(data: Any) -> Response:
    """With whatever attributes hold: bytes, and numbers that are none in JSON, as text."""
    return Response(otlp_json.dumps(data), media_type="application/json")


def _none() -> Response:
    return JSONResponse({"error": "not found"}, 404)
