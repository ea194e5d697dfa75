"""Putting the patches on and taking them off: late, lazily, exactly, and never in anybody's way."""

from __future__ import annotations

import copy
import importlib
import inspect
import logging
import pickle
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest
import wrapt
from opentelemetry.sdk.trace import TracerProvider

import runspan
from runspan.clients.openai.install import TARGETS, OpenAIInstaller
from runspan.fake import Server, serve
from runspan.handle import Handle
from runspan.setup import start_from_outside
from runspan.zero_code import ZeroCode
from tests.support.app import begin_run
from tests.support.tracing import traced

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


@pytest.fixture
def server() -> Iterator[Server]:
    with serve("slow") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    import openai

    http = openai.DefaultHttpxClient(verify=False)
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0, http_client=http) as client:
        yield client


def patched() -> dict[tuple[type, str], Any]:
    """What stands in the class dictionaries now."""
    found = {}
    for name, targets in TARGETS.items():
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            # They moved: each version has them in one of two places. Old ones have no webhooks.
            if "vector_stores" not in name and "webhooks" not in name:
                raise
            continue
        for class_name, attribute, _ in targets:
            owner = getattr(module, class_name)
            if attribute in vars(owner):  # webhooks inherit it where their module is a package
                found[owner, attribute] = vars(owner)[attribute]
    return found


def test_the_handle_of_now_is_there_for_who_did_not_keep_it() -> None:
    assert runspan.current_handle() is None
    with traced() as trace:
        assert runspan.current_handle() is trace.handle
        assert runspan.instrument() is trace.handle
    assert runspan.current_handle() is None


def test_uninstrument_puts_back_the_very_same_functions() -> None:
    before = patched()
    with traced():
        during = patched()
        assert all(during[where] is not before[where] for where in before)
    after = patched()
    assert all(after[where] is before[where] for where in before)
    assert {type(function) for function in after.values()} == {FunctionType}


def test_instrument_twice_is_once(client: Any) -> None:
    with traced() as spans:
        ours = patched()
        assert runspan.instrument() is spans.handle
        assert patched() == ours
        begin_run(client)
        runspan.uninstrument()
        assert len(spans.exporter.get_finished_spans()) == 2  # run and generation
    assert runspan.flush() is True


def test_a_second_instrument_with_other_options_says_that_they_are_ignored(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with traced() as spans:
        assert runspan.instrument(calls="all") is spans.handle
        assert spans.handle.config.calls == "auto"
        (record,) = caplog.records
        assert "uninstrument()" in record.getMessage()
        with pytest.raises(runspan.ConfigError):
            runspan.instrument(cals="all")


def test_instrument_after_uninstrument_works_with_new_options(client: Any) -> None:
    with traced() as first:
        begin_run(client)
    with traced(capture_content=False) as second:
        begin_run(client)
        runspan.uninstrument()
        assert second.handle is not first.handle
        assert len(second.exporter.get_finished_spans()) == len(first.exporter.get_finished_spans())


def test_uninstrument_without_or_twice_is_nothing() -> None:
    runspan.uninstrument()
    with traced() as spans:
        runspan.uninstrument()
        runspan.uninstrument()
        spans.handle.uninstrument()
    assert {type(function) for function in patched().values()} == {FunctionType}


def test_runs_that_live_at_uninstrument_go_out_as_unfinished(client: Any) -> None:
    with traced() as spans:
        run = begin_run(client)
        runspan.uninstrument()
        found = [s for s in spans.exporter.get_finished_spans() if (s.attributes or {}).get("runspan.run.id")]
        assert [(s.attributes or {})["runspan.run.unfinished"] for s in found] == ["shutdown"]
        client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        assert spans.handle.stats().live == 0


def test_a_wrapper_that_came_over_ours_keeps_working_and_ours_inside_it_is_inert(client: Any) -> None:
    from openai._base_client import SyncAPIClient

    original = vars(SyncAPIClient)["request"]
    seen: list[str] = []

    def theirs(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        seen.append((args[1] if len(args) > 1 else kwargs["options"]).url)
        return wrapped(*args, **kwargs)

    try:
        with traced() as spans:
            wrapt.wrap_function_wrapper("openai._base_client", "SyncAPIClient.request", theirs)
            begin_run(client)
            runspan.uninstrument()
            spans.exporter.clear()
            seen.clear()
            assert begin_run(client).status == "queued"
            assert "/threads/runs" in seen
            assert spans.exporter.get_finished_spans() == ()
            assert spans.handle.stats().started == 1
        with traced() as again:
            begin_run(client)
            assert again.handle.flush(10)
            assert again.handle.stats().started == 1
    finally:
        SyncAPIClient.request = original


def test_a_wrapper_that_was_there_before_us_is_what_comes_back() -> None:
    from openai._base_client import SyncAPIClient

    original = vars(SyncAPIClient)["request"]
    theirs = wrapt.FunctionWrapper(original, lambda wrapped, _, args, kwargs: wrapped(*args, **kwargs))
    SyncAPIClient.request = theirs
    try:
        with traced():
            assert vars(SyncAPIClient)["request"] is not theirs
        assert vars(SyncAPIClient)["request"] is theirs
    finally:
        SyncAPIClient.request = original


def test_the_import_path_is_clean_afterwards() -> None:
    before = list(sys.meta_path)
    with traced():
        assert len(sys.meta_path) == len(before) + 2  # one for each client library
    assert sys.meta_path == before


def test_the_methods_still_look_like_themselves() -> None:
    from openai._base_client import AsyncAPIClient, SyncAPIClient

    was = [
        (f.__name__, f.__doc__, inspect.signature(f)) for f in (SyncAPIClient.request, AsyncAPIClient.request)
    ]
    assert inspect.iscoroutinefunction(AsyncAPIClient.request)
    with traced():
        now = [
            (f.__name__, f.__doc__, inspect.signature(f))
            for f in (SyncAPIClient.request, AsyncAPIClient.request)
        ]
        assert now == was
        assert inspect.iscoroutinefunction(AsyncAPIClient.request)
        assert not inspect.iscoroutinefunction(SyncAPIClient.request)
        assert issubclass(AsyncAPIClient, AsyncAPIClient.__mro__[1])


def test_classes_and_results_can_still_be_pickled_and_copied(client: Any) -> None:
    import openai
    from openai._base_client import AsyncAPIClient, SyncAPIClient

    with traced():
        for kind in (openai.OpenAI, openai.AsyncOpenAI, SyncAPIClient, AsyncAPIClient):
            assert pickle.loads(pickle.dumps(kind)) is kind
        run = begin_run(client)
        assert pickle.loads(pickle.dumps(run)) == run == copy.deepcopy(run)


def test_a_client_module_without_what_we_patch_costs_one_line_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    module = ModuleType("openai._base_client")
    module.SyncAPIClient = type("SyncAPIClient", (), {"request": lambda self: "answer"})  # type: ignore[attr-defined]
    module.AsyncAPIClient = type("AsyncAPIClient", (), {"request": 1})  # type: ignore[attr-defined]
    was = vars(module.SyncAPIClient)["request"]
    installer = OpenAIInstaller()
    installer.wrappers = dict.fromkeys(
        ("request", "arequest", "exit", "aexit"), lambda w, i, a, k: w(*a, **k)
    )
    installer._is_on = True
    installer._patch(module)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "AsyncAPIClient.request" in record.getMessage()
    assert module.SyncAPIClient().request() == "answer"
    installer.remove()
    assert vars(module.SyncAPIClient)["request"] is was


def test_nothing_is_put_on_a_server_once_we_are_off() -> None:
    """A call that was in flight at `uninstrument()` may still bring spans."""
    server = importlib.import_module("uvicorn.server").Server
    before = server.shutdown
    handle = runspan.instrument(tracer_provider=TracerProvider(shutdown_on_exit=False))
    handle._at_exit()
    assert server.shutdown is not before
    runspan.uninstrument()
    handle._at_exit()
    assert server.shutdown is before


def test_a_second_call_with_other_options_names_them_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    first = runspan.instrument(tracer_provider=TracerProvider())
    try:
        assert runspan.instrument() is first
        assert caplog.text == ""
        assert runspan.instrument(capture_content=False, headers={"key": "hunter2"}) is first
    finally:
        runspan.uninstrument()
    (line,) = [record.getMessage() for record in caplog.records]
    assert "are ignored: capture_content, headers." in line
    assert "hunter2" not in line


@pytest.fixture
def off_at_the_end() -> Iterator[None]:
    yield
    runspan.uninstrument()


def test_the_apps_own_call_takes_the_place_of_one_from_outside(
    off_at_the_end: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Texts that the app keeps back stay with it, whoever started it; where spans go, who started it says."""
    here, there = TracerProvider(), TracerProvider()
    outside = start_from_outside({"tracer_provider": here})
    assert runspan.instrument() is outside
    own = runspan.instrument(capture_content=False, tracer_provider=there)
    assert runspan.current_handle() is own
    assert (own.config.capture_content, own.config.tracer_provider) == (False, here)
    assert caplog.text == ""
    assert runspan.instrument(calls="all") is own  # from now on as ever
    assert "are ignored: calls." in caplog.text


def test_an_app_that_turns_runspan_off_turns_it_off_whoever_started_it(off_at_the_end: None) -> None:
    start_from_outside({})
    assert not runspan.instrument(enabled=False).config.enabled
    assert runspan.current_handle() is None


def test_a_wrong_option_of_the_app_is_the_apps_to_hear_of(off_at_the_end: None) -> None:
    outside = start_from_outside({"capture_content": False})
    with pytest.raises(runspan.ConfigError):
        runspan.instrument(calls="some")
    assert runspan.current_handle() is outside


def test_what_the_launcher_ends_with_is_the_apps_own_call(
    off_at_the_end: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Any] = []
    ZeroCode().instrument()
    monkeypatch.setattr(Handle, "end_with_launcher", lambda handle: ended.append(handle))
    own = runspan.instrument(capture_content=False)
    assert ended == [own]
