"""One run in every envelope that servers put around its events, read in every way that the client offers: always the same trace."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from odd_objects import OVER, RUN, WAITING
from tests.support.odd_server import Odd, odd_server
from tests.support.playing import BOTH, App, client_of
from tests.support.slices import every
from tests.support.tracing import Traced, attribute, messages, texts, traced

import runspan

Event = tuple[str, dict[str, Any]]

SAID = {
    "id": "msg_1",
    "object": "thread.message",
    "thread_id": "thread_1",
    "run_id": "run_1",
    "assistant_id": "asst_1",
    "role": "assistant",
    "status": "completed",
    "created_at": 1_700_000_001,
    "content": [{"type": "text", "text": {"value": "Grüße\n\naus Köln", "annotations": []}}],
}


def delta(text: str) -> Event:
    content = [{"index": 0, "type": "text", "text": {"value": text}}]
    return "thread.message.delta", {
        "id": "msg_1",
        "object": "thread.message.delta",
        "delta": {"content": content},
    }


EVENTS: list[Event] = [
    ("thread.run.created", RUN),
    ("thread.run.in_progress", {**RUN, "status": "in_progress"}),
    ("thread.message.created", {**SAID, "status": "in_progress", "content": []}),
    delta("Grüße\n\n"),
    delta("aus Köln"),
    ("thread.message.completed", SAID),
    ("thread.run.completed", OVER),
]
CUT = EVENTS[:5]  # the pieces of the message are all there is


def dumps(data: Any, **how: Any) -> str:
    return json.dumps(data, ensure_ascii=False, **how)


def named(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {dumps(data)}\n\n"


def enveloped(name: str, data: Any) -> str:
    return f"data: {dumps({'event': name, 'data': data})}\n\n"


def in_lines(name: str, data: Any) -> str:
    lines = "".join(f"data: {line}\n" for line in dumps(data, indent=1).split("\n"))
    return f"event: {name}\n{lines}\n"


ENVELOPES: dict[str, Callable[[str, Any], str]] = {
    "a line that names it": named,
    "in the data": enveloped,
    "both": lambda name, data: f"event: {name}\n{enveloped(name, data)}",
    "in the data, under another name": lambda name, data: f"event: message\n{enveloped(name, data)}",
    "twice": lambda name, data: enveloped("message", {"event": name, "data": data}),
    "twice, without a name outside": lambda name, data: (
        f"data: {dumps({'data': {'event': name, 'data': data}})}\n\n"
    ),
    "as a text in the data": lambda name, data: enveloped(name, dumps(data)),  # type: ignore[arg-type]
    "the object alone": lambda _, data: f"data: {dumps(data)}\n\n",
    "a name beside an object in `data`": lambda name, data: (
        f"event: {name}\ndata: {dumps({'data': data})}\n\n"
    ),
    "lines of data": in_lines,
    # Without `id:`, after which the client takes a comment for an event.
    "comments and other fields": lambda name, data: f": ping\n\nretry: 9\n{named(name, data)}: ping\n\n",
    "no blanks": lambda name, data: named(name, data).replace(": ", ":", 2),
}
FRAMES: dict[str, Callable[[str], str]] = {
    "LF": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "BOM": lambda text: "\ufeff" + text,
    "no end": lambda text: text.removesuffix("event: done\ndata: [DONE]\n\n"),
}
Read = Callable[[App], Any]


async def typed(app: App) -> None:
    await app.each(await app.got(app.runs.create("thread_1", assistant_id="asst_1", stream=True)))


async def parsed(app: App) -> None:
    raw = app.runs.with_raw_response
    response = await app.got(raw.create("thread_1", assistant_id="asst_1", stream=True))
    await app.each(response.parse())


def streaming(method: str) -> Read:
    async def read(app: App) -> None:
        call = app.runs.with_streaming_response.create("thread_1", assistant_id="asst_1", stream=True)
        async with app.opened(call) as response:
            pieces = getattr(response, method)()
            await (app.each(pieces) if method.startswith("iter") else app.got(pieces))

    return read


async def raw_bytes(app: App) -> None:
    call = app.runs.with_streaming_response.create("thread_1", assistant_id="asst_1", stream=True)
    async with app.opened(call) as response:
        http = response.http_response
        await app.each(http.aiter_raw() if app.is_async else http.iter_raw())


READS: dict[str, Read] = {
    "typed": typed,
    "parsed": parsed,
    "lines": streaming("iter_lines"),
    "bytes": streaming("iter_bytes"),
    "text": streaming("iter_text"),
    "read": streaming("read"),
    "raw bytes": raw_bytes,
}


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    with odd_server() as running:
        yield running


def pieces(text: str, size: int) -> list[bytes]:
    data = text.encode()
    return [data[i : i + size] for i in range(0, len(data), size)]


def play(odd: Odd, kind: str, read: Read) -> None:
    App(kind, client_of(kind, odd), odd).play(read)  # type: ignore[arg-type]


def check(trace: Traced, *, is_cut: bool = False) -> None:
    run, chat = trace.run(), trace.generation()
    assert attribute(run, "gen_ai.response.id") == "run_1"
    assert attribute(run, "runspan.run.status") == ("in_progress" if is_cut else "completed")
    assert attribute(run, "runspan.run.unfinished") == ("stream_closed" if is_cut else None)
    assert texts(chat, "output") == ["Grüße\n\naus Köln"]
    assert attribute(chat, "gen_ai.usage.input_tokens") == (None if is_cut else 5)
    assert attribute(chat, "gen_ai.response.time_to_first_chunk") is not None


def sent(envelope: str, events: list[Event] = EVENTS, frame: str = "LF") -> str:
    whole = "".join(ENVELOPES[envelope](name, data) for name, data in events)
    return FRAMES[frame](whole + "event: done\ndata: [DONE]\n\n")


@pytest.mark.parametrize(("envelope", "read", "kind"), every(3, [*ENVELOPES], [*READS], BOTH))
def test_every_envelope_in_every_way_of_reading(envelope: str, read: str, kind: str, odd: Odd) -> None:
    odd.whole = ({"content-type": "text/event-stream"}, pieces(sent(envelope), 1_000))
    with traced() as trace:
        play(odd, kind, READS[read])
        check(trace)


@pytest.mark.parametrize("read", ["lines", "bytes", "raw bytes"])
@pytest.mark.parametrize("prefix", ["data: ", ""])
def test_events_without_a_blank_line_between_them(prefix: str, read: str, odd: Odd) -> None:
    """The typed stream of the client can't read them; apps that read lines can."""
    lines = [dumps({"event": name, "data": data}) for name, data in EVENTS]
    odd.whole = (
        {"content-type": "text/event-stream"},
        pieces("".join(f"{prefix}{x}\n" for x in lines), 1_000),
    )
    with traced() as trace:
        play(odd, "OpenAI", READS[read])
        check(trace)


@pytest.mark.parametrize("read", ["typed", "bytes"])
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_the_pieces_of_a_message_that_was_cut_in_every_envelope(envelope: str, read: str, odd: Odd) -> None:
    odd.whole = ({"content-type": "text/event-stream"}, pieces(sent(envelope, CUT), 1_000))
    with traced() as trace:
        play(odd, "OpenAI", READS[read])
        runspan.uninstrument()
        check_cut(trace)


def check_cut(trace: Traced) -> None:
    run, chat = (
        next(s for s in trace.exporter.get_finished_spans() if attribute(s, "gen_ai.operation.name") == name)
        for name in ("invoke_agent", "chat")
    )
    assert attribute(run, "gen_ai.response.id") == "run_1"
    assert attribute(run, "runspan.run.unfinished") == "stream_closed"
    assert texts(chat, "output") == ["Grüße\n\naus Köln"]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("is_read_to_its_end", [True, False])
def test_a_text_of_which_a_part_was_read_is_marked_though_the_run_completed(
    is_read_to_its_end: bool, kind: str, odd: Odd
) -> None:
    """Its end is known from a poll. A stream that tells no more before its own end was not cut."""

    async def read(app: App) -> None:
        stream = await app.got(app.runs.create("thread_1", assistant_id="asst_1", stream=True))
        if is_read_to_its_end:
            await app.each(stream)
        else:
            events = stream.__aiter__() if app.is_async else iter(stream)
            for _ in CUT:
                await app.got(events.__anext__() if app.is_async else next(events))
            await app.got(stream.close())
        await app.got(app.runs.retrieve("run_1", thread_id="thread_1"))

    odd.whole = (
        {"content-type": "text/event-stream"},
        pieces(sent("a line that names it", CUT if is_read_to_its_end else EVENTS), 1_000),
    )
    odd.bodies["GET", "runs/one"] = [OVER]
    with traced() as trace:
        play(odd, kind, read)
        runspan.uninstrument()
        (message,) = messages(trace.generation(), "output")
    assert texts(trace.generation(), "output") == ["Grüße\n\naus Köln"]
    assert message.get("incomplete") is (None if is_read_to_its_end else True)


@pytest.mark.parametrize(
    ("frame", "envelope", "read", "size"),
    every(5, [*FRAMES], ["a line that names it", "in the data"], ["typed", "bytes"], [1, 7, 4_096]),
)
def test_every_frame_however_it_is_cut(frame: str, envelope: str, read: str, size: int, odd: Odd) -> None:
    odd.whole = ({"content-type": "text/event-stream"}, pieces(sent(envelope, frame=frame), size))
    with traced() as trace:
        play(odd, "OpenAI", READS[read])
        check(trace)


DEFLATED = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("encoding", DEFLATED)
def test_compressed_streams(encoding: str, read: str, odd: Odd) -> None:
    data = DEFLATED[encoding](sent("in the data").encode())
    headers = {"content-type": "text/event-stream", "content-encoding": encoding}
    odd.whole = (headers, [data[i : i + 50] for i in range(0, len(data), 50)])
    with traced() as trace:
        play(odd, "OpenAI", READS[read])
        check(trace)


# ---------------------------------------------------------------- the other kind of answer than was asked for


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("encoding", DEFLATED)
@pytest.mark.parametrize("read", READS)
def test_json_where_a_stream_was_asked_for(read: str, encoding: str, kind: str, odd: Odd) -> None:
    body = DEFLATED[encoding](json.dumps(OVER, indent=2).encode())
    odd.whole = ({"content-type": "application/json", "content-encoding": encoding}, [body[:9], body[9:]])
    with traced() as trace:
        play(odd, kind, READS[read])
        run = trace.run()
    assert attribute(run, "gen_ai.response.id") == "run_1"
    assert attribute(run, "runspan.run.status") == "completed"


async def plain(app: App) -> Any:
    return await app.got(app.runs.create("thread_1", assistant_id="asst_1"))


async def raw(app: App) -> None:
    await app.got(app.runs.with_raw_response.create("thread_1", assistant_id="asst_1"))


async def read_later(app: App) -> None:
    async with app.opened(
        app.runs.with_streaming_response.create("thread_1", assistant_id="asst_1")
    ) as response:
        await app.got(response.read())


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("read", [plain, raw, read_later])
@pytest.mark.parametrize("envelope", ["a line that names it", "in the data", "the object alone"])
def test_a_stream_where_json_was_asked_for(envelope: str, read: Read, kind: str, odd: Odd) -> None:
    odd.whole = ({"content-type": "text/event-stream"}, pieces(sent(envelope), 1_000))
    with traced() as trace:
        play(odd, kind, read)
        check_over(trace)


def check_over(trace: Traced) -> None:
    assert attribute(trace.run(), "gen_ai.response.id") == "run_1"
    assert attribute(trace.run(), "runspan.run.status") == "completed"
    assert texts(trace.generation(), "output") == ["Grüße\n\naus Köln"]


# ---------------------------------------------------------------- what the app's tools must know at once


@pytest.mark.parametrize("read", ["typed", "lines", "raw bytes"])
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_tool_that_runs_after_the_stream_is_claimed_in_every_envelope(
    envelope: str, read: str, odd: Odd
) -> None:
    events = [*EVENTS[:2], ("thread.run.requires_action", WAITING)]
    odd.whole = ({"content-type": "text/event-stream"}, pieces(sent(envelope, events), 33))

    @runspan.observe(kind="tool")
    def f() -> str:
        return "done"

    async def case(app: App) -> None:
        with runspan.span("turn"):
            await READS[read](app)
            f()

    with traced() as trace:
        play(odd, "OpenAI", case)
        runspan.uninstrument()
        spans = trace.exporter.get_finished_spans()
    run = next(s for s in spans if attribute(s, "gen_ai.operation.name") == "invoke_agent")
    (tool,) = (s for s in spans if attribute(s, "gen_ai.operation.name") == "execute_tool")
    assert tool.parent is not None
    assert run.context is not None
    assert tool.parent.span_id == run.context.span_id
    assert attribute(tool, "gen_ai.tool.call.id") == "call_1"


# ---------------------------------------------------------------- a stream that breaks


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("read", ["typed", "bytes"])
@pytest.mark.parametrize(
    "form", ["event: error\ndata: {}\n\n", 'data: {"event": "error", "data": {}}\n\n', "data: {}\n\n"]
)
def test_an_error_event_in_every_envelope(form: str, read: str, kind: str, odd: Odd) -> None:
    error = json.dumps({"error": {"code": "server_error", "message": "it broke", "type": "server_error"}})
    body = sent("in the data", EVENTS[:2]).partition("event: done")[0] + form.replace("{}", error, 1)
    odd.whole = ({"content-type": "text/event-stream"}, pieces(body, 1_000))

    async def case(app: App) -> None:
        try:
            await READS[read](app)
        except Exception as raised:
            assert type(raised).__name__ == "APIError"  # noqa: PT017 - older clients raise for some of the forms alone

    with traced() as trace:
        play(odd, kind, case)
        runspan.uninstrument()
        spans = trace.exporter.get_finished_spans()
    run = next(s for s in spans if attribute(s, "gen_ai.operation.name") == "invoke_agent")
    assert attribute(run, "gen_ai.response.id") == "run_1"
    if read == "bytes":
        assert attribute(run, "error.type") == "server_error"
