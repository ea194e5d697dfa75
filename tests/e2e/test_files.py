"""Files and vector stores around runs: a write is a span, a helper of the client is one, a poll is none."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind
from tests.support.playing import ALL_FOUR, BOTH, App, here, playing, spans_of_app_go_to
from tests.support.tracing import Traced, attribute, traced

from runspan.fake import Drop, HttpError

both_clients = pytest.mark.parametrize("kind", BOTH)

FILE = ("herons.txt", b"A heron waits for fish.")
OTHER = ("gulls.txt", b"A gull does not wait.")
EMPTY = ("nothing.txt", b"")
POLL = {"poll_interval_ms": 1}


def stores_of(app: App) -> Any:
    """`client.vector_stores` was in beta up to openai 1.65."""
    return app.client.vector_stores if hasattr(app.client, "vector_stores") else app.client.beta.vector_stores


def told(spans: list[ReadableSpan]) -> list[tuple[str, str | None]]:
    return [(span.name, attribute(span, "error.type")) for span in spans if span.name != "app"]


def played(
    kind: str, case: Callable[[App], Any], poll_step_s: float = 0.05, **options: Any
) -> list[ReadableSpan]:
    """The spans of a case that runs inside the span "app"."""

    async def inside(app: App) -> None:
        with here("app"):
            await case(app)

    with (
        playing(kind, poll_step_s=poll_step_s) as app,
        traced(**options) as trace,
        spans_of_app_go_to(trace.provider),
    ):
        app.play(inside)
        return _in_order(trace)


def _in_order(trace: Traced) -> list[ReadableSpan]:
    return sorted(trace.spans(), key=lambda span: span.start_time or 0)


async def file_and_store(app: App) -> tuple[Any, Any]:
    file = await app.got(app.client.files.create(file=FILE, purpose="assistants"))
    return file, await app.got(stores_of(app).create(name="Birds", file_ids=[file.id]))


async def everything(app: App) -> None:
    stores = stores_of(app)
    file, store = await file_and_store(app)
    await app.got(app.client.files.retrieve(file.id))
    content = await app.got(app.client.files.content(file.id))
    assert content.read() == FILE[1]
    await app.got(stores.update(store.id, name="Water birds"))
    other = await app.got(app.client.files.create(file=OTHER, purpose="assistants"))
    await app.got(stores.files.create(vector_store_id=store.id, file_id=other.id))
    await app.got(stores.files.retrieve(other.id, vector_store_id=store.id))
    await app.got(stores.files.delete(other.id, vector_store_id=store.id))
    batch = await app.got(stores.file_batches.create(vector_store_id=store.id, file_ids=[other.id]))
    await app.got(stores.file_batches.retrieve(batch.id, vector_store_id=store.id))
    await app.got(stores.file_batches.cancel(batch.id, vector_store_id=store.id))
    await app.got(stores.list())
    await app.got(stores.delete(store.id))
    await app.got(app.client.files.delete(file.id))


WRITES = [
    "upload_file",
    "create_vector_store",
    "update_vector_store",
    "upload_file",
    "create_vector_store_file",
    "delete_vector_store_file",
    "create_file_batch",
    "cancel_file_batch",
    "delete_vector_store",
    "delete_file",
]


@pytest.mark.parametrize("kind", ALL_FOUR)
def test_each_write_is_a_client_span_and_no_read_is(kind: str) -> None:
    spans = played(kind, everything, poll_step_s=0.001)
    assert told(spans) == [(operation, None) for operation in WRITES]
    app_span, *calls = spans
    for span in calls:
        assert span.kind is SpanKind.CLIENT
        assert span.parent is not None
        assert span.parent.span_id == app_span.context.span_id
        assert attribute(span, "gen_ai.operation.name") == span.name
        assert attribute(span, "gen_ai.provider.name") in ("openai", "azure.ai.openai")
        assert attribute(span, "server.address") == "127.0.0.1"
        assert attribute(span, "openinference.span.kind") == "CHAIN"


@both_clients
def test_with_calls_all_a_read_is_a_span_too_but_never_a_poll(kind: str) -> None:
    names = [name for name, _ in told(played(kind, everything, poll_step_s=0.001, calls="all"))]
    reads = [name for name in names if name.startswith(("get_", "list_"))]
    assert reads == ["get_file", "get_file_content", "list_vector_stores"]
    assert [name for name in names if name not in reads] == WRITES


@both_clients
def test_with_calls_none_there_is_no_span(kind: str) -> None:
    async def case(app: App) -> None:
        await everything(app)
        store = await app.got(stores_of(app).create())
        await app.got(stores_of(app).files.upload_and_poll(vector_store_id=store.id, file=FILE, **POLL))
        with pytest.raises(openai.NotFoundError):
            await app.got(app.client.files.delete("file-x"))

    assert told(played(kind, case, poll_step_s=0.02, calls="none")) == []


@both_clients
def test_without_a_span_around_them_success_makes_none_and_failure_makes_a_root(kind: str) -> None:
    async def case(app: App) -> None:
        await file_and_store(app)
        with pytest.raises(openai.NotFoundError):
            await app.got(app.client.files.retrieve("file-x"))
        with pytest.raises(openai.NotFoundError):
            await app.got(app.client.files.delete("file-x"))

    with playing(kind) as app, traced() as trace:
        app.play(case)
        (failed,) = trace.spans()
        assert (failed.name, failed.parent) == ("delete_file", None)
        assert attribute(failed, "runspan.file.id") == "file-x"


@both_clients
def test_nothing_is_recorded_under_an_unsampled_span(kind: str) -> None:
    async def case(app: App) -> None:
        _, store = await file_and_store(app)
        await app.got(stores_of(app).files.upload_and_poll(vector_store_id=store.id, file=FILE, **POLL))

    with playing(kind) as app, traced(ALWAYS_OFF, calls="all") as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert trace.spans() == []


@both_clients
def test_what_they_say(kind: str) -> None:
    seen: dict[str, Any] = {}

    async def case(app: App) -> None:
        seen["file"], seen["store"] = await file_and_store(app)

    _, uploaded, created = played(kind, case)
    assert attribute(uploaded, "runspan.file.id") == seen["file"].id
    assert attribute(uploaded, "runspan.file.name") == "herons.txt"
    assert attribute(uploaded, "runspan.file.bytes") == len(FILE[1])
    assert attribute(uploaded, "runspan.file.purpose") == "assistants"
    assert attribute(created, "gen_ai.data_source.id") == seen["store"].id
    assert attribute(created, "runspan.vector_store.name") == "Birds"
    assert attribute(created, "runspan.indexing.status") == "in_progress"
    assert attribute(created, "runspan.indexing.files.total") == 1
    assert b"heron waits" not in "".join(s.to_json() for s in (uploaded, created)).encode()


@both_clients
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (HttpError(400, "No.", code="unsupported_file"), "unsupported_file"),
        (HttpError(413, "Too large."), "invalid_request_error"),
        (HttpError(500, "Oh.", type="server_error"), "server_error"),
        (Drop(), "APIConnectionError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_errors_have_the_apis_code(fault: Any, code: str, kind: str) -> None:
    async def case(app: App) -> None:
        app.server.inject(fault, method="POST", path="/files")
        with pytest.raises(openai.APIError):
            await app.got(app.client.files.create(file=FILE, purpose="assistants"))

    spans = played(kind, case)
    assert told(spans) == [("upload_file", code)]
    assert spans[-1].status.status_code.name == "ERROR"
    assert attribute(spans[-1], "runspan.file.purpose") == "assistants"


# ---------------------------------------------------------------- helpers


@both_clients
def test_upload_and_poll_of_a_batch_is_one_span_with_its_polls_and_file_counts(kind: str) -> None:
    seen: dict[str, Any] = {}

    async def case(app: App) -> None:
        store = await app.got(stores_of(app).create())
        seen["batch"] = await app.got(
            stores_of(app).file_batches.upload_and_poll(
                vector_store_id=store.id, files=[FILE, OTHER, EMPTY], **POLL
            )
        )
        seen["requests"] = [f"{r.method} {r.path.split('/')[-2]}" for r in app.server.requests][-99:]

    app_span, _, span = played(kind, case)
    batch = seen["batch"]
    polls = seen["requests"].count("GET file_batches")
    assert polls > 1
    assert span.name == "upload_file_batch"
    assert attribute(span, "runspan.indexing.polls") == polls
    assert attribute(span, "runspan.indexing.uploads") == 3
    assert attribute(span, "runspan.indexing.status") == "completed" == batch.status
    counts = {key: attribute(span, f"runspan.indexing.files.{key}") for key in batch.file_counts.model_dump()}
    assert counts == batch.file_counts.model_dump() == {
        "in_progress": 0, "completed": 2, "failed": 1, "cancelled": 0, "total": 3,
    }  # fmt: skip
    assert attribute(span, "runspan.file_batch.id") == batch.id
    assert attribute(span, "gen_ai.data_source.id") == batch.vector_store_id
    assert span.status.status_code.name == "UNSET", "one file of three failed; the batch did not"
    assert span.parent is not None
    assert span.parent.span_id == app_span.context.span_id


HELPERS: dict[str, Callable[[App, str, str], Any]] = {
    "create_file_batch": lambda app, store, file: stores_of(app).file_batches.create_and_poll(
        store, file_ids=[file], **POLL
    ),
    "upload_vector_store_file": lambda app, store, file: stores_of(app).files.upload_and_poll(
        vector_store_id=store, file=OTHER, **POLL
    ),
    "create_vector_store_file": lambda app, store, file: stores_of(app).files.create_and_poll(
        file, vector_store_id=store, **POLL
    ),
}


@both_clients
@pytest.mark.parametrize("operation", HELPERS)
def test_so_is_each_other_helper(operation: str, kind: str) -> None:
    async def case(app: App) -> None:
        file = await app.got(app.client.files.create(file=FILE, purpose="assistants"))
        store = await app.got(stores_of(app).create())
        result = await app.got(HELPERS[operation](app, store.id, file.id))
        assert result.status == "completed"

    *_, span = spans = played(kind, case, poll_step_s=0.02)
    assert [name for name, _ in told(spans)] == ["upload_file", "create_vector_store", operation]
    assert attribute(span, "runspan.indexing.polls") >= 2
    assert attribute(span, "runspan.indexing.uploads") == (1 if operation.startswith("upload") else None)
    assert attribute(span, "gen_ai.data_source.id") is not None


@both_clients
def test_a_file_that_could_not_be_indexed_is_an_error_of_its_span(kind: str) -> None:
    async def case(app: App) -> None:
        store = await app.got(stores_of(app).create())
        file = await app.got(
            stores_of(app).files.upload_and_poll(vector_store_id=store.id, file=EMPTY, **POLL)
        )
        assert file.status == "failed"

    *_, span = played(kind, case)
    assert (span.name, attribute(span, "error.type")) == ("upload_vector_store_file", "invalid_file")
    assert span.status.description == "The file could not be parsed because it is empty."


@both_clients
def test_a_helper_that_fails_is_one_span_with_the_apis_code(kind: str) -> None:
    async def case(app: App) -> None:
        store = await app.got(stores_of(app).create())
        app.server.inject(HttpError(429, "No.", code="rate_limit_exceeded"), method="POST", path="/files")
        with pytest.raises(openai.RateLimitError):
            await app.got(
                stores_of(app).file_batches.upload_and_poll(vector_store_id=store.id, files=[FILE], **POLL)
            )
        with pytest.raises(openai.NotFoundError):
            await app.got(stores_of(app).files.create_and_poll("file-x", vector_store_id=store.id, **POLL))

    assert told(played(kind, case))[1:] == [
        ("upload_file_batch", "rate_limit_exceeded"),
        ("create_vector_store_file", "invalid_request_error"),
    ]


@both_clients
def test_polls_of_the_client_without_its_helper_make_no_span(kind: str) -> None:
    async def case(app: App) -> None:
        file, store = await file_and_store(app)
        batch = await app.got(
            stores_of(app).file_batches.create(vector_store_id=store.id, file_ids=[file.id])
        )
        await app.got(stores_of(app).file_batches.poll(batch.id, vector_store_id=store.id, **POLL))

    names = [name for name, _ in told(played(kind, case, calls="all"))]
    assert names == ["upload_file", "create_vector_store", "create_file_batch"]


@both_clients
def test_waiting_for_a_file_is_one_read(kind: str) -> None:
    async def case(app: App) -> None:
        file = await app.got(app.client.files.create(file=FILE, purpose="assistants"))
        await app.got(app.client.files.wait_for_processing(file.id, poll_interval=0.001))

    *_, span = spans = played(kind, case, calls="all")
    assert [name for name, _ in told(spans)] == ["upload_file", "get_file"]
    assert attribute(span, "runspan.indexing.polls") == 1
    assert attribute(span, "runspan.file.name") == "herons.txt"
    assert attribute(span, "gen_ai.data_source.id") is None
    assert [name for name, _ in told(played(kind, case))] == ["upload_file"]


def test_helpers_are_what_they_were_after_uninstrument() -> None:
    client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9")
    stores = client.vector_stores if hasattr(client, "vector_stores") else client.beta.vector_stores
    owners = [type(stores.files), type(stores.file_batches)]
    names = ("create_and_poll", "upload_and_poll")
    before = [vars(owner)[name] for owner in owners for name in names]
    with traced():
        assert not set(map(id, before)) & {id(vars(owner)[name]) for owner in owners for name in names}
    assert [vars(owner)[name] for owner in owners for name in names] == before
    client.close()


# ---------------------------------------------------------------- raw and streamed answers


@both_clients
def test_raw_and_streamed_answers_are_handed_over_unread(kind: str) -> None:
    async def case(app: App) -> None:
        raw = await app.got(app.client.files.with_raw_response.create(file=FILE, purpose="assistants"))
        file = raw.parse()
        content = await app.got(app.client.files.with_raw_response.content(file.id))
        assert content.content == FILE[1]
        async with app.opened(app.client.files.with_streaming_response.content(file.id)) as response:
            assert not response.http_response.is_stream_consumed
            assert b"".join(await app.each(response.iter_bytes())) == FILE[1]
        async with app.opened(app.client.files.with_streaming_response.delete(file.id)) as response:
            assert json.loads(await app.got(response.read()))["deleted"] is True

    spans = played(kind, case, calls="all")
    assert told(spans) == [("upload_file", None), *[("get_file_content", None)] * 2, ("delete_file", None)]
    assert attribute(spans[1], "runspan.file.name") == "herons.txt"


def test_a_file_object_is_read_by_the_client_alone(caplog: pytest.LogCaptureFixture) -> None:
    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            Counted.reads += 1
            return super().read(size)

    async def case(app: App) -> None:
        await app.got(app.client.files.create(file=Counted(b"text"), purpose="assistants"))

    def reads(**options: Any) -> int:
        Counted.reads = 0
        with caplog.at_level(logging.WARNING):
            played("OpenAI", case, **options)
        return Counted.reads

    assert reads() == reads(calls="none") > 0


# ---------------------------------------------------------------- search


async def searched(app: App) -> None:
    store = await app.got(stores_of(app).create())
    await app.got(
        stores_of(app).file_batches.upload_and_poll(vector_store_id=store.id, files=[FILE, OTHER], **POLL)
    )
    found = await app.got(stores_of(app).search(store.id, query="who waits for fish", max_num_results=5))
    app.seen.update(store=store.id, found=list(found.data))
    with pytest.raises(openai.NotFoundError):
        await app.got(stores_of(app).search("vs_x", query="fish"))


has_search = pytest.mark.skipif(
    not hasattr(openai.resources, "VectorStores"), reason="this openai has no vector store search"
)


@has_search
@both_clients
def test_a_search_is_a_retrieval_span_with_its_query_and_documents(kind: str) -> None:
    seen: dict[str, Any] = {}

    async def case(app: App) -> None:
        await searched(app)
        seen.update(app.seen)

    *_, span, failed = played(kind, case)
    assert (span.name, span.kind) == (f"retrieval {seen['store']}", SpanKind.CLIENT)
    assert attribute(span, "gen_ai.operation.name") == "retrieval"
    assert attribute(span, "gen_ai.data_source.id") == seen["store"]
    assert attribute(span, "gen_ai.retrieval.query.text") == "who waits for fish"
    assert attribute(span, "gen_ai.retrieval.top_k") == 5
    assert json.loads(attribute(span, "gen_ai.retrieval.documents")) == [
        {"id": hit.file_id, "score": hit.score, "content": hit.content[0].text, "name": hit.filename}
        for hit in seen["found"]
    ]
    assert attribute(span, "openinference.span.kind") == "RETRIEVER"
    assert attribute(span, "input.value") == "who waits for fish"
    assert (failed.name, failed.status.status_code.name) == ("retrieval vs_x", "ERROR")
    assert attribute(failed, "gen_ai.retrieval.query.text") == "fish"


@has_search
def test_with_content_off_a_search_says_neither_query_nor_documents() -> None:
    *_, span, _ = spans = played("OpenAI", searched, capture_content=False)
    assert span.name.startswith("retrieval vs_")
    assert attribute(span, "openinference.span.kind") == "RETRIEVER"
    exported = "".join(s.to_json() for s in spans)
    assert not [word for word in ("fish", "heron", "herons.txt") if word in exported]
