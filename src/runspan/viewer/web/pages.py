"""The pages: each reads the store, makes a view of what it finds, and fills a template. None changes anything.

The endpoints are plain functions, so Starlette runs them in threads and the event loop stays free for senders.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from runspan.viewer import forest
from runspan.viewer.spans import LogRecord, Span
from runspan.viewer.store import Run, RunFilter, Store
from runspan.viewer.store.queries import MAX_COUNTED, SORTS
from runspan.viewer.web import comparing, otlp_json, talk
from runspan.viewer.web.panel import exchange, panel
from runspan.viewer.web.render import page
from runspan.viewer.web.results import tools
from runspan.viewer.web.waterfall import waterfall

PAGE = 50
TURNS = 100  # of a thread or session on one page, the newest
SINCE_S: Mapping[str, int] = {"1h": 3_600, "24h": 86_400, "7d": 7 * 86_400}
FILTERS = ("status", "name", "model", "session", "user", "thread")


class Pages:
    """One method a page."""

    def __init__(self, store: Store, endpoint: str) -> None:
        self._store = store
        self._endpoint = endpoint

    # ---------------------------------------------------------------- lists

    def runs(self, request: Request) -> Response:
        asked = request.query_params
        of = RunFilter(
            words=asked.get("q", "")[:500],
            **{name: asked.get(name, "")[:500] for name in FILTERS},
            since_ns=int((time.time() - SINCE_S[asked["since"]]) * 1e9)
            if asked.get("since") in SINCE_S
            else 0,
            sort=asked["sort"] if asked.get("sort") in SORTS else "start",
            is_ascending=asked.get("order") == "asc",
        )
        at = _page(request)
        runs, total = self._store.page(of, PAGE + 1, at * PAGE)
        return self._html(
            request,
            "runs.html",
            runs=runs[:PAGE],
            total=total,
            is_more=of.is_narrow() and total >= MAX_COUNTED,
            of=of,
            since=asked.get("since", "") if asked.get("since") in SINCE_S else "",
            choices=self._store.choices(),
            pager=_Pager(request, at, total),
        )

    def traces(self, request: Request) -> Response:
        words, at = request.query_params.get("q", "")[:500], _page(request)
        found = self._store.traces(words, PAGE + 1, at * PAGE)
        total = at * PAGE + len(found) if words else self._store.count_traces()
        return self._html(
            request,
            "traces.html",
            traces=found[:PAGE],
            words=words,
            total=total,
            pager=_Pager(request, at, total),
        )

    def threads(self, request: Request) -> Response:
        return self._groups(request, "thread")

    def sessions(self, request: Request) -> Response:
        return self._groups(request, "session")

    def _groups(self, request: Request, column: str) -> Response:
        at = _page(request)
        found = self._store.newest_groups(column, PAGE + 1, at * PAGE)
        groups = [(getattr(runs[0], column), runs, talk.totals(runs)) for runs in found[:PAGE] if runs]
        pager = _Pager(request, at, at * PAGE + len(found))
        return self._html(request, "groups.html", groups=groups, column=column, pager=pager)

    # ---------------------------------------------------------------- one thing

    def trace(self, request: Request) -> Response:
        trace_id = request.path_params["trace"].lower()
        spans = self._store.spans(trace_id)
        if not spans:
            return self.not_found(request)
        (tree,) = forest.grow(spans)
        view = waterfall(tree)
        runs = self._store.runs_of_trace(trace_id)
        by_id = {span.span_id: span for span in tree.spans}
        wanted = request.query_params.get("span", "")
        first = next((row.id for row in view.rows if row.span is not None), "")
        chosen = wanted if wanted in by_id else runs[0].span if runs else first
        return self._html(
            request,
            "trace.html",
            trace=tree,
            root=next(row for row in view.rows if row.span is not None),
            view=view,
            runs=runs,
            errors=sum(row.is_error for row in view.rows),
            services=list(dict.fromkeys(str(s.resource.get("service.name", "")) for s in tree.spans)),
            chosen=chosen,
            panel=self._panel(by_id[chosen], tree.spans, tree.start_ns),
            totals=talk.totals(runs) if runs else None,
        )

    def span(self, request: Request) -> Response:
        """The panel alone, for the page's script."""
        trace_id, span_id = request.path_params["trace"].lower(), request.path_params["span"].lower()
        span = self._store.span(trace_id, span_id)
        if span is None:
            return self.not_found(request)
        start_ns = _start(request, span)
        return HTMLResponse(page("panel.html", panel=self._panel(span, (), start_ns), trace_id=trace_id))

    def _panel(self, span: Span, spans: Sequence[Span], start_ns: int) -> Any:
        below = self._store.run_spans(span.trace_id, span.span_id)
        return panel(span, below, self._store.logs(span.trace_id), start_ns)

    def thread(self, request: Request) -> Response:
        return self._talk(request, "thread")

    def session(self, request: Request) -> Response:
        return self._talk(request, "session")

    def _talk(self, request: Request, column: str) -> Response:
        name = request.query_params.get("id", "")
        of = RunFilter(**{column: name}) if name else None  # type: ignore[arg-type]
        newest = self._store.runs(of, TURNS) if of else []
        if of is None or not newest:
            return self.not_found(request)
        total = self._store.count_runs(of)
        runs = newest[::-1]
        turns = list(talk.turns(self._with_spans(runs)))
        whole = runs if total == len(runs) else self._store.runs(of, 10_000)
        return self._html(
            request,
            "talk.html",
            name=name,
            column=column,
            turns=turns,
            totals=talk.totals(whole),
            earlier=total - len(runs),
        )

    def compare(self, request: Request) -> Response:
        wanted = [value.partition(".") for value in request.query_params.getlist("run")][:2]
        runs = [run for trace, _, span in wanted if (run := self._store.run(trace.lower(), span.lower()))]
        if len(runs) != 2:
            return self._html(request, "compare_none.html", status=200 if not wanted else 404)
        sides = list(self._with_spans(runs))
        said = []
        for run, spans, logs in sides:
            own = next((span for span in spans if span.span_id == run.span), None)
            asked, answered = exchange(own, spans, logs) if own else ((), ())
            said.append(tuple("\n\n".join(s.text for s in side if s.text) for side in (asked, answered)))
        calls = [tools(spans)[:200] for _, spans, _ in sides]
        return self._html(
            request,
            "compare.html",
            runs=runs,
            numbers=comparing.numbers(*runs),
            texts=comparing.texts(*runs),
            tools=comparing.tools(*calls),
            questions=[question for question, _ in said],
            answers=comparing.words(*(answer for _, answer in said)),
        )

    def _with_spans(self, runs: Iterable[Run]) -> Iterable[tuple[Run, list[Span], list[LogRecord]]]:
        for run in runs:
            yield run, self._store.run_spans(run.trace, run.span), self._store.logs(run.trace)

    # ---------------------------------------------------------------- for programs

    def otlp(self, request: Request) -> Response:
        trace_id = request.path_params["trace"].lower()
        body = otlp_json.export(self._store.packed(trace_id))
        if body is None:
            return self.not_found(request)
        name = "".join(c for c in trace_id if c in "0123456789abcdef")[:32]
        headers = {"Content-Disposition": f'attachment; filename="trace-{name}.json"'}
        return Response(body, media_type="application/json", headers=headers)

    def live(self, _: Request) -> Response:
        """A number that changes with the store; pages that see it change read themselves again."""
        return JSONResponse({"version": self._store.version()})

    def about(self, _: Request) -> Response:
        return JSONResponse({"name": "runspan", "receives": "OTLP/HTTP"})

    # ---------------------------------------------------------------- errors

    def not_found(self, request: Request, _: Exception | None = None) -> Response:
        return self._html(request, "not_found.html", status=404)

    def broken(self, request: Request, _: Exception | None = None) -> Response:
        return self._html(request, "broken.html", status=500)

    def _html(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        here = {"endpoint": self._endpoint, "path": request.url.path, "url": url}
        return HTMLResponse(page(template, **here, **values), status)


class _Pager:
    """Where the reader is in a list, and the way on."""

    def __init__(self, request: Request, at: int, total: int) -> None:
        self._request = request
        self.first = at * PAGE + 1
        self.last = min((at + 1) * PAGE, total)
        self.before = self.to(page=at if at > 1 else None) if at else ""
        self.after = self.to(page=at + 2) if total > (at + 1) * PAGE else ""

    def to(self, **changes: Any) -> str:
        """This page's address with these parameters instead; None or "" takes one out."""
        kept = {"page": None, **changes}
        url = self._request.url.remove_query_params(
            [key for key, value in kept.items() if value in (None, "")]
        )
        url = url.include_query_params(
            **{key: value for key, value in kept.items() if value not in (None, "")}
        )
        return f"{url.path}?{url.query}" if url.query else url.path


def _page(request: Request) -> int:
    """Zero for the first."""
    asked = request.query_params.get("page", "1")
    return (
        min(max(int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 8 else 1, 1), 100_000) - 1
    )


def _start(request: Request, span: Span) -> int:
    asked = request.query_params.get("from", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 20 else span.start_ns
