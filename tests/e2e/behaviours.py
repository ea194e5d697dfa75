"""What else the client can do with runs, as one table: each gives a plain value of what the app sees."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import inspect
import logging
import pickle
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import openai
from tests.support.playing import QUESTION, App, client_of

from runspan.fake import HttpError, Slow

Behaviour = Callable[[App], Coroutine[Any, Any, Any]]
BEHAVIOURS: list[Behaviour] = []
ASYNC_BEHAVIOURS: list[Behaviour] = []


def behaviour(play: Behaviour) -> Behaviour:
    BEHAVIOURS.append(play)
    return play


def async_behaviour(play: Behaviour) -> Behaviour:
    ASYNC_BEHAVIOURS.append(play)
    return play


def plain(value: Any) -> Any:
    """A model, a page, an exception as a value that can be compared."""
    if isinstance(value, BaseException):
        chain = type(value.__cause__), type(value.__context__), value.__suppress_context__
        named = ("status_code", "code", "param", "type", "body", "__notes__")
        return type(value), str(value), chain, [getattr(value, name, None) for name in named]
    return (type(value), value.to_dict()) if hasattr(value, "to_dict") else value


async def outcome(app: App, value: Any) -> Any:
    """What a call gives, or raises."""
    try:
        return plain(await app.got(value() if callable(value) else value))
    except Exception as error:
        frames = [
            frame.name
            for frame in traceback.extract_tb(error.__traceback__)
            if "/openai/" in frame.filename and "/runspan/" not in frame.filename
        ]
        return plain(error), frames


async def asked(app: App) -> Any:
    await app.ask()
    return await app.got(app.runs.create(**app.asked))


# ---------------------------------------------------------------- responses


@behaviour
async def a_raw_response(app: App) -> Any:
    run = await asked(app)
    raw = await app.got(app.runs.with_raw_response.retrieve(run.id, thread_id=app.thread_id))
    first, again = raw.parse(), raw.parse()
    as_dict = await outcome(app, lambda: raw.parse(to=dict))  # the oldest client cannot
    facts = (
        raw.status_code,
        sorted(raw.headers),
        raw.request_id,
        raw.method,
        raw.http_version,
        raw.is_closed,
    )
    sizes = (len(raw.content), raw.text[:1], raw.elapsed > timedelta(0), getattr(raw, "retries_taken", None))
    return (
        type(raw),
        plain(first),
        first is again,
        as_dict,
        facts,
        sizes,
        raw.http_request.method,
        repr(raw)[:20],
    )


@behaviour
async def a_raw_response_of_a_stream(app: App) -> Any:
    await app.ask()
    raw = await app.got(app.runs.with_raw_response.create(**app.asked, stream=True))
    stream = raw.parse()
    events = [event.event for event in await app.each(stream)]
    return type(raw), type(stream), events, raw.parse() is stream, stream.response is raw.http_response


def read_by(how: str) -> None:
    async def a_streaming_response(app: App) -> Any:
        await app.ask()
        async with app.opened(app.runs.with_streaming_response.create(**app.asked)) as response:
            before = (type(response), response.status_code, response.is_closed, sorted(response.headers))
            if how == "nothing":
                got = None
            elif how.startswith("iter"):
                got = b"".join(
                    p if isinstance(p, bytes) else p.encode()
                    for p in await app.each(getattr(response, how)())
                )
            else:
                got = plain(await app.got(getattr(response, how)()))
            again = await outcome(app, response.read)
            rest = await outcome(app, lambda: response.http_response.num_bytes_downloaded)
        return before, got, again, rest, response.is_closed, await outcome(app, response.parse)

    a_streaming_response.__name__ = f"a_streaming_response_read_by_{how}"
    behaviour(a_streaming_response)


for _how in ("parse", "read", "json", "text", "iter_bytes", "iter_text", "iter_lines", "nothing"):
    read_by(_how)


@behaviour
async def an_http_response_pickled_and_copied(app: App) -> Any:
    await app.ask()
    async with app.opened(app.runs.with_streaming_response.create(**app.asked)) as response:
        http = response.http_response
        unread = pickle.loads(pickle.dumps(http))
        await app.got(response.read())
    again, deep = pickle.loads(pickle.dumps(http)), copy.deepcopy(http)
    pieces = [b"".join(one.iter_bytes()) for one in (again, deep, copy.copy(http))]
    kept = [sorted(vars(one).keys() - vars(http).keys()) for one in (unread, again, deep)]
    return again.content, pieces == [http.content] * 3, unread.status_code, kept


@behaviour
async def an_exception_inside_a_streaming_response(app: App) -> Any:
    async def raising() -> None:
        async with app.opened(app.runs.with_streaming_response.create(**app.asked, stream=True)) as response:
            await app.next_of(response.iter_lines())
            raise LookupError("the app's own")

    return await outcome(app, raising)


# ---------------------------------------------------------------- pages


@behaviour
async def pages_read_to_their_end(app: App) -> Any:
    for number in range(5):
        await app.ask(f"Question {number}")
    listing = app.threads.messages.list(app.thread_id, limit=2)
    page = await app.got(listing)
    texts = [m.content[0].text.value for m in await app.each(page)]
    info = page.next_page_info()
    second = await app.got(page.get_next_page())
    pages = [len(one.data) for one in await app.each(page.iter_pages())]
    return (
        type(listing),
        type(page),
        texts,
        page.has_next_page(),
        plain(info and info.params),
        plain(second),
        pages,
    )


@behaviour
async def pages_iterated_without_awaiting(app: App) -> Any:
    for number in range(3):
        await app.ask(f"Question {number}")
    texts = [
        m.content[0].text.value
        for m in await app.each(app.threads.messages.list(app.thread_id, limit=1, order="asc"))
    ]
    raw = await app.got(app.threads.messages.with_raw_response.list(app.thread_id, limit=2))
    return texts, type(raw.parse()), len(raw.parse().data)


@behaviour
async def pages_of_runs_and_steps(app: App) -> Any:
    await app.ask()
    run = await app.polled(await app.got(app.runs.create(**app.asked)))
    runs = [one.id for one in await app.each(app.runs.list(app.thread_id, limit=1))]
    steps = [plain(one) for one in await app.each(app.runs.steps.list(run.id, thread_id=app.thread_id))]
    return runs, steps


# ---------------------------------------------------------------- clients


@behaviour
async def copies_of_the_client(app: App) -> Any:
    await app.ask()
    copied = app.client.with_options(
        timeout=7, max_retries=1, default_headers={"X-App": "1"}, default_query={"q": "1"}
    )
    run = await app.got(copied.beta.threads.runs.create(**app.asked))
    again = await app.got(copied.copy().beta.threads.runs.retrieve(run.id, thread_id=app.thread_id))
    return type(copied), copied.timeout, copied.max_retries, plain(again), copied.is_closed()


@behaviour
async def methods_taken_before(app: App) -> Any:
    create, raw = app.runs.create, app.runs.with_raw_response
    await app.ask()
    run = await app.got(create(**app.asked))
    return plain(run), plain((await app.got(raw.retrieve(run.id, thread_id=app.thread_id))).parse())


@behaviour
async def a_subclass_that_overrides_request(app: App) -> Any:
    urls: list[str] = []
    base = type(app.client)

    class Own(base):  # type: ignore[misc,valid-type]
        def request(self, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
            urls.append(options.url)
            return super().request(cast_to, options, *args, **kwargs)

    http = openai.DefaultAsyncHttpxClient if app.is_async else openai.DefaultHttpxClient
    own = Own(base_url=app.client.base_url, api_key="k", http_client=http(verify=False))
    run = await app.got(own.beta.threads.runs.create(**app.asked))
    await app.got(own.close())
    closed = await outcome(app, lambda: own.beta.threads.runs.retrieve(run.id, thread_id=app.thread_id))
    return urls, plain(run), closed


@behaviour
async def what_the_method_says_of_itself(app: App) -> Any:
    method = app.client.request
    facts = [getattr(method, name) for name in ("__name__", "__doc__", "__module__", "__qualname__")]
    is_bound = method.__self__ is app.client
    kinds = (inspect.ismethod(method), inspect.isroutine(method), callable(method))
    is_async = inspect.iscoroutinefunction(method)
    return str(inspect.signature(method)), facts, is_bound, kinds, is_async, type(app.client).__mro__


@behaviour
async def hooks_of_the_http_client(app: App) -> Any:
    """They run on the caller's thread, in its context, once an attempt."""
    seen: list[Any] = []
    mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="none")

    def note(what: str) -> None:
        seen.append((what, threading.current_thread() is threading.main_thread()))
        mark.set(what)

    def on_request(request: Any) -> None:
        note(request.method)

    async def aon_request(request: Any) -> None:
        note(request.method)

    http = openai.DefaultAsyncHttpxClient if app.is_async else openai.DefaultHttpxClient
    hook = aon_request if app.is_async else on_request
    client = client_of(app.kind, app.server, http_client=http(verify=False, event_hooks={"request": [hook]}))
    app.server.inject("server_error", path="*/runs", method="POST")
    retrying = client.with_options(max_retries=1)
    run = await app.got(retrying.beta.threads.runs.create(**app.asked))
    await app.got(client.close())
    return seen, mark.get(), plain(run)


@behaviour
async def what_the_client_logs(app: App) -> Any:
    lines: list[Any] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((record.name, record.levelname, record.funcName, str(record.msg)))

    logger, keep = logging.getLogger("openai"), Keep()
    before = logger.level
    logger.setLevel("DEBUG")
    logger.addHandler(keep)
    try:
        await asked(app)
    finally:
        logger.removeHandler(keep)
        logger.setLevel(before)
    return lines


# ---------------------------------------------------------------- arguments


@behaviour
async def absent_and_empty_arguments(app: App) -> Any:
    await app.ask()
    absent = getattr(openai, "omit", openai.NOT_GIVEN)
    run = await app.got(
        app.runs.create(
            **app.asked, instructions=absent, metadata=openai.NOT_GIVEN, model=None, tools=[], temperature=0
        )
    )
    return plain(run), await outcome(app, lambda: app.runs.create(thread_id="", assistant_id="a"))


@behaviour
async def arguments_that_stay_the_apps_own(app: App) -> Any:
    given: Any = {
        "metadata": {"a": "b"},
        "extra_body": {"x_own": [1]},
        "extra_headers": {"X-App": "1"},
        "extra_query": {"q": "1"},
    }
    kept = copy.deepcopy(given)
    await app.ask()
    await app.got(app.runs.create(**app.asked, **given))
    return given == kept


@behaviour
async def casts(app: App) -> Any:
    run = await asked(app)
    path = f"/threads/{app.thread_id}/runs/{run.id}"
    kinds = [object, str, type(run), *([dict[str, Any]] if sys.version_info >= (3, 11) else [])]
    found = [await app.got(app.client.get(path, cast_to=kind)) for kind in kinds]
    refused = await outcome(app, lambda: app.client.get(path, cast_to=int))
    return [(type(one), plain(one)) for one in found], refused


# ---------------------------------------------------------------- results


@behaviour
async def results_pickled_copied_and_compared(app: App) -> Any:
    run = await app.polled(await asked(app))
    page = await app.got(app.threads.messages.list(app.thread_id))
    stored, deep, shallow = pickle.loads(pickle.dumps(run)), copy.deepcopy(run), copy.copy(run)
    message = pickle.loads(pickle.dumps(page.data[0]))
    paged = await outcome(app, lambda: pickle.loads(pickle.dumps(page)))
    return (
        plain(stored),
        stored == run == deep == shallow,
        plain(message),
        paged,
        run.model_fields_set,
        getattr(run, "_request_id", None),
    )


@behaviour
async def results_that_die_with_their_last_reference(app: App) -> Any:
    gc.disable()
    try:
        run = await asked(app)
        raw = await app.got(app.runs.with_raw_response.retrieve(run.id, thread_id=app.thread_id))
        page = await app.got(app.threads.messages.list(app.thread_id))
        refs = [weakref.ref(one) for one in (run, raw, page)]
        del run, raw, page
        try:
            await app.got(app.runs.retrieve("run_unknown", thread_id=app.thread_id))
        except openai.NotFoundError as error:
            refs.append(weakref.ref(error))
        return [ref() is None for ref in refs]
    finally:
        gc.enable()


# ---------------------------------------------------------------- errors, retries, timeouts


def refused(status: int) -> None:
    async def a_refusal(app: App) -> Any:
        await app.ask()
        app.server.inject(HttpError(status, "No.", code="own", param="p"), path="*/runs", method="POST")
        return await outcome(app, lambda: app.runs.create(**app.asked))

    a_refusal.__name__ = f"a_refusal_with_{status}"
    behaviour(a_refusal)


for _status in (400, 401, 403, 404, 409, 422, 429, 500, 503):
    refused(_status)


@behaviour
async def retries_that_help(app: App) -> Any:
    await app.ask()
    app.server.inject("server_error", path="*/runs", method="POST")
    app.server.inject("dropped", path="*/runs", method="POST", skip=1)
    raw = app.client.with_options(max_retries=3).beta.threads.runs.with_raw_response
    answer = await app.got(raw.create(**app.asked))
    return plain(answer.parse()), getattr(answer, "retries_taken", None)


@behaviour
async def retries_that_run_out(app: App) -> Any:
    await app.ask()
    app.server.inject("unavailable", path="*/runs", method="POST", times=2)
    return await outcome(
        app, lambda: app.client.with_options(max_retries=1).beta.threads.runs.create(**app.asked)
    )


@behaviour
async def a_lost_connection(app: App) -> Any:
    await app.ask()
    app.server.inject("dropped", path="*/runs", method="POST")
    return await outcome(app, lambda: app.runs.create(**app.asked))


def timed_out(streams: bool) -> None:
    async def a_timeout(app: App) -> Any:
        await app.ask()
        app.server.inject(Slow(5.0), path="*/runs", method="POST")
        given = {"stream": True} if streams else {}
        return await outcome(app, lambda: app.runs.create(**app.asked, timeout=0.05, **given))

    a_timeout.__name__ = f"a_timeout{'_of_a_stream' if streams else ''}"
    behaviour(a_timeout)


timed_out(False)
timed_out(True)


# ---------------------------------------------------------------- streams


@behaviour
async def a_stream_and_all_its_ends(app: App) -> Any:
    await app.ask()
    stream = await app.got(app.runs.create(**app.asked, stream=True))
    facts = (
        type(stream),
        type(stream.response),
        stream.response.status_code,
        sorted(stream.response.headers),
    )
    events = [(type(e), e.event, plain(e.data)) for e in await app.each(stream)]
    after = await outcome(app, lambda: app.each(stream))
    closed = [await outcome(app, stream.close) for _ in range(2)]
    return facts, events, after, closed, stream.response.is_closed


def left_by(how: str) -> None:
    async def a_stream_left(app: App) -> Any:
        await app.ask()
        stream = await app.got(app.runs.create(**app.asked, stream=True))
        first = (await app.next_of(stream)).event
        if how == "with":
            async with app.opened(stream) as same:
                assert same is stream
        elif how == "close":
            await app.got(stream.close())
        elif how == "response":
            await app.got(stream.response.aclose() if app.is_async else stream.response.close())
        else:
            response = stream.response
            del stream
            gc.collect()
            await asyncio.sleep(0.05) if app.is_async else None
            return first, response.is_closed
        return first, stream.response.is_closed

    a_stream_left.__name__ = f"a_stream_left_by_{how}"
    behaviour(a_stream_left)


for _how in ("with", "close", "response", "forgetting"):
    left_by(_how)


CALLBACKS = (
    *("on_event", "on_end", "on_exception", "on_timeout", "on_run_step_created", "on_run_step_done"),
    *("on_message_created", "on_message_delta", "on_message_done", "on_text_created", "on_text_done"),
)


def handled(raises_in: str | None) -> None:
    async def an_event_handler(app: App) -> Any:
        await app.ask()
        seen: list[Any] = []

        def callback(name: str) -> Any:
            async def told(handler: Any, *what: Any) -> None:
                run = handler.current_run
                seen.append(
                    (name, [type(one) for one in what], run and run.status, type(handler.current_event))
                )
                if name == raises_in:
                    raise LookupError(name)

            return told

        handler = app.handler(**{name: callback(name) for name in CALLBACKS})

        async def whole() -> Any:
            async with app.opened(app.runs.stream(**app.asked, event_handler=handler)) as stream:
                await app.got(stream.until_done())
                texts = [m.content[0].text.value for m in await app.got(stream.get_final_messages())]
                return stream is handler, texts, (await app.got(stream.get_final_run())).status

        result = await outcome(app, whole)

        async def again() -> Any:
            async with app.opened(app.runs.stream(**app.asked, event_handler=handler)):
                return "no error"

        return result, seen, await outcome(app, again)

    an_event_handler.__name__ = f"an_event_handler_that_raises_in_{raises_in}"
    behaviour(an_event_handler)


for _raises_in in (None, "on_event", "on_text_created", "on_end"):
    handled(_raises_in)


@behaviour
async def a_stream_managers_own_parts(app: App) -> Any:
    await app.ask()
    async with app.opened(app.runs.stream(**app.asked)) as stream:
        deltas = [delta async for delta in stream.text_deltas] if app.is_async else list(stream.text_deltas)
        facts = (stream.current_run.status, type(stream.current_event), stream.current_message_snapshot.role)
    return deltas, facts, await outcome(app, stream.close), await outcome(app, lambda: app.next_of(stream))


# ---------------------------------------------------------------- tasks


@async_behaviour
async def a_cancelled_task(app: App) -> Any:
    await app.ask()
    app.server.inject(Slow(5.0), path="*/runs", method="POST")
    task = asyncio.ensure_future(app.runs.create(**app.asked))
    await asyncio.sleep(0.05)
    task.cancel("enough")
    try:
        await task
    except asyncio.CancelledError as error:
        return error.args, task.cancelled()
    return "not cancelled"


@async_behaviour
async def a_call_that_takes_too_long_for_its_waiter(app: App) -> Any:
    await app.ask()
    app.server.inject(Slow(5.0), path="*/runs", method="POST")
    try:
        return await asyncio.wait_for(app.runs.create(**app.asked), 0.05)
    except asyncio.TimeoutError as error:
        return type(error), error.args


@async_behaviour
async def calls_side_by_side(app: App) -> Any:
    others = [(await app.threads.create()).id for _ in range(3)]
    asked = {"assistant_id": app.assistant_id}
    runs = await asyncio.gather(*(app.runs.create(one, **asked) for one in others), return_exceptions=True)
    return sorted(run.thread_id for run in runs) == sorted(others)


@async_behaviour
async def a_pager_awaited_and_iterated(app: App) -> Any:
    await app.ask(QUESTION)
    pager = app.threads.messages.list(app.thread_id)
    return type(pager), plain(await pager), [m.id async for m in app.threads.messages.list(app.thread_id)]
