"""The pages: each reads the store, makes a view of what it finds, and fills a template. None changes anything.

The endpoints are plain functions, so Starlette runs them in threads and the event loop stays free for senders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from runspan.viewer import forest
from runspan.viewer.spans import LogRecord, Span
from runspan.viewer.store import Run, RunFilter, Store
from runspan.viewer.store.numbers import totals
from runspan.viewer.store.queries import MAX_COUNTED
from runspan.viewer.store.records import GROUP_SORTS, TRACE_SORTS
from runspan.viewer.web import comparing, manual, otlp_json, overview, talk
from runspan.viewer.web.asking import Asked, asked
from runspan.viewer.web.days import name_of, zone_of
from runspan.viewer.web.pager import Pager, page_of
from runspan.viewer.web.panel import exchange, panel
from runspan.viewer.web.render import page, query_part
from runspan.viewer.web.results import tools
from runspan.viewer.web.waterfall import PAGE_ROWS, skews, waterfall

PAGE = 50
TURNS = 100  # of a thread or session on one page, the newest
SUMMED_RUNS = 2_000  # that the sums above a list are of, the newest
TABS: Mapping[str, str] = {
    "/thread": "/threads",
    "/session": "/sessions",
    "/compare": "/",
}  # whose tab is marked


class Pages:
    """One method a page."""

    def __init__(self, store: Store, endpoint: str) -> None:
        self._store = store
        self._endpoint = endpoint

    # ---------------------------------------------------------------- lists

    def runs(self, request: Request) -> Response:
        wanted, at = asked(request), page_of(request)
        if jump := self._jump(wanted):
            return jump
        of = wanted.of
        runs, total = self._store.page(of, PAGE + 1, at * PAGE)
        return self._html(
            request,
            "runs.html",
            runs=runs[:PAGE],
            total=total,
            is_more=of.is_narrow() and total >= MAX_COUNTED,
            asked=wanted,
            choices=self._store.choices(),
            sums=totals(self._store.groups_of_numbers(of, [], SUMMED_RUNS)) if total else None,
            summed=min(total, SUMMED_RUNS),
            pager=Pager(request, at, total, PAGE),
        )

    def traces(self, request: Request) -> Response:
        wanted, at = asked(request, TRACE_SORTS), page_of(request)
        if jump := self._jump(wanted):
            return jump
        found = self._store.traces(
            wanted.of.words,
            PAGE + 1,
            at * PAGE,
            of=wanted.of,
            sort=wanted.sort,
            is_ascending=wanted.is_ascending,
        )
        total = at * PAGE + len(found) if wanted.shown else self._store.count_traces()
        return self._html(
            request,
            "traces.html",
            traces=found[:PAGE],
            asked=wanted,
            choices=self._store.choices(),
            total=total,
            pager=Pager(request, at, total, PAGE),
        )

    def overview(self, request: Request) -> Response:
        wanted, zone = asked(request, overview.COLUMNS, "runs"), zone_of(request)
        pager = Pager(request, 0, 0, PAGE)
        found = overview.overview(
            self._store,
            wanted.of,
            lambda name, value: pager.at("/", **{name: value}),
            zone,
            wanted.sort,
            wanted.is_ascending,
        )
        return self._html(
            request,
            "overview.html",
            asked=wanted,
            choices=self._store.choices(),
            found=found,
            pager=pager,
            parameters=overview.PARAMETERS,
            columns=overview.COLUMNS,
            zone=name_of(zone),
        )

    def threads(self, request: Request) -> Response:
        return self._groups(request, "thread")

    def sessions(self, request: Request) -> Response:
        return self._groups(request, "session")

    def _groups(self, request: Request, column: str) -> Response:
        wanted, at = asked(request, GROUP_SORTS, "last"), page_of(request)
        if jump := self._jump(wanted):
            return jump
        found = self._store.groups(column, wanted.of, wanted.sort, wanted.is_ascending, PAGE + 1, at * PAGE)
        return self._html(
            request,
            "groups.html",
            groups=found[:PAGE],
            column=column,
            asked=wanted,
            choices=self._store.choices(),
            pager=Pager(request, at, at * PAGE + len(found), PAGE),
        )

    def _jump(self, wanted: Asked) -> Response | None:
        """To the one thing whose id was searched for."""
        if set(wanted.shown) != {"q"} or not (found := self._store.find(wanted.of.words)):
            return None
        what, name, span = found
        url = {"trace": f"/trace/{name}", "span": f"/trace/{name}?span={span}"}.get(what)
        return RedirectResponse(url or f"/{what}?id={query_part(name)}", 303)

    # ---------------------------------------------------------------- one thing

    def trace(self, request: Request) -> Response:
        trace_id = request.path_params["trace"].lower()
        outline, kinds = self._store.outline(trace_id)
        if not outline:
            return self.not_found(request)
        tree = forest.whole(trace_id, outline)
        entries = list(tree.entries(with_rails=False))
        runs = self._store.runs_of_trace(trace_id)
        order = {entry.span.span_id: at for at, entry in enumerate(entries) if entry.span is not None}
        wanted = request.query_params.get("span", "")
        chosen = wanted if wanted in order else runs[0].span if runs else next(iter(order))
        first = _first_row(request, len(entries), order[chosen], wanted in order)
        ids = [entry.span.span_id for entry in entries[first : first + PAGE_ROWS] if entry.span is not None]
        whole = {span.span_id: span for span in self._store.some_spans(trace_id, list({*ids, chosen}))}
        run = next((run for run in runs if run.span == chosen), runs[0] if runs else None)
        newer_older = self._store.beside(run) if run is not None else (None, None)
        return self._html(
            request,
            "trace.html",
            trace=tree,
            root=next(entry.span for entry in entries if entry.span is not None),
            view=waterfall(tree, entries, {one: whole[one] for one in ids if one in whole}, first, kinds),
            runs=runs,
            names={one.span: one.name for one in runs},
            run=run,
            older=newer_older[0],
            newer=newer_older[1],
            skews=skews(outline),
            is_kept=self._store.is_kept(trace_id),
            errors=sum(span.status_code == "ERROR" for span in outline),
            chosen=chosen,
            panel=self._panel(whole[chosen], tree.start_ns),
            pager=Pager(request, first // PAGE_ROWS, len(entries), PAGE_ROWS, "rows"),
            totals=talk.totals(runs) if runs else None,
            live=f"/live?trace={trace_id}",
            tab="/" if runs else "/traces",
        )

    def span(self, request: Request) -> Response:
        """The panel alone, for the page's script."""
        trace_id, span_id = request.path_params["trace"].lower(), request.path_params["span"].lower()
        span = self._store.span(trace_id, span_id)
        if span is None:
            return self.not_found(request)
        made = self._panel(span, _start(request, span))
        return HTMLResponse(page("panel.html", panel=made, trace_id=trace_id))

    def _panel(self, span: Span, start_ns: int) -> Any:
        below = self._store.run_spans(span.trace_id, span.span_id)
        run = self._store.run(span.trace_id, span.span_id)
        return panel(span, below, self._store.logs(span.trace_id), start_ns, run)

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
        runs.sort(key=lambda run: run.start_ns)  # the older one left, whichever was ticked first
        sides = list(self._with_spans(runs))
        said = []
        for run, spans, logs in sides:
            own = next((span for span in spans if span.span_id == run.span), None)
            sides_said = exchange(own, spans, logs) if own else ((), ())
            said.append(tuple("\n\n".join(s.text for s in side if s.text) for side in sides_said))
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

    def docs(self, request: Request) -> Response:
        name = request.path_params.get("name", manual.FIRST[0])
        text = manual.text(name)
        if text is None:
            return self.not_found(request)
        return self._html(request, "docs.html", text=text, name=name, titles=manual.titles())

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

    def live(self, request: Request) -> Response:
        """A value that changes with the store, or with one trace; pages that see it change read themselves again."""
        trace_id = request.query_params.get("trace")
        version = self._store.version() if trace_id is None else self._store.trace_version(trace_id)
        return JSONResponse({"version": version})

    def about(self, _: Request) -> Response:
        return JSONResponse({"name": "runspan", "receives": "OTLP/HTTP"})

    # ---------------------------------------------------------------- errors

    def not_found(self, request: Request, _: Exception | None = None) -> Response:
        return self._html(request, "not_found.html", status=404)

    def broken(self, request: Request, _: Exception | None = None) -> Response:
        return self._html(request, "broken.html", status=500)

    def _html(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        here = {
            "endpoint": self._endpoint,
            "path": request.url.path,
            "url": url,
            "live": "/live",
            "tab": TABS.get(request.url.path, request.url.path),
        }
        return HTMLResponse(page(template, **{**here, **values}), status)


def _first_row(request: Request, total: int, chosen: int, is_wanted: bool) -> int:
    """Where the page of a waterfall begins: at the rows asked for, else so that the chosen span is on it."""
    if "rows" in request.query_params and not is_wanted:
        return min(page_of(request, "rows"), (total - 1) // PAGE_ROWS) * PAGE_ROWS
    return chosen // PAGE_ROWS * PAGE_ROWS


def _start(request: Request, span: Span) -> int:
    asked = request.query_params.get("from", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 20 else span.start_ns
