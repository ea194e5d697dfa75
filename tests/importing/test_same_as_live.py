"""A run played live, and the same run imported from its export: the same spans, but for what is listed in docs/archives.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.importing.comparing import LEFT_ASIDE, differences, imported, shown
from tests.importing.exporting import thread_export, write_layout
from tests.support.playing import client_of, playing
from tests.support.tracing import traced

sys.path.append(str(Path(__file__).parents[1] / "e2e"))
from golden_cases import CASES, POLLED, STREAMED, play

DOCS = Path(__file__).parents[2] / "docs" / "archives.md"
# What the app of a case did not read, or never told the server, and what the server itself forgets.
OF_REQUEST = ("gen_ai.request.stream",)
KNOWN_BETTER = ("runspan.input.incomplete", "runspan.step.")
FORGOTTEN = ("runspan.run.started_at", "retrieval.documents.", "gen_ai.retrieval.documents")
CUT = {"cut_in_code"}  # the app never saw how it went on
UNREAD = {("two_rounds", POLLED)}  # without the steps, no app knows where a text stands between two rounds


@pytest.mark.parametrize("way", [POLLED, STREAMED])
@pytest.mark.parametrize("name", [name for name in CASES if name not in CUT])
def test_an_exported_thread_gives_the_spans_that_were_made_live(name: str, way: str, tmp_path: Path) -> None:
    case = CASES[name]
    if way not in case.ways:
        pytest.skip("it is played another way")
    with playing("OpenAI", case.scenario) as app:
        with traced(prices=False) as trace:
            app.play(lambda one: play(one, case, way))
            trace.handle.uninstrument()
            live = trace.exporter.get_finished_spans()
        threads = {t for span in live if (t := (span.attributes or {}).get("gen_ai.conversation.id"))}
        with client_of("OpenAI", app.server) as client:
            exports = [thread_export(client, str(thread)) for thread in sorted(map(str, threads))]
            folder = write_layout(tmp_path, exports, client.beta.assistants.list())
    past, report = imported(folder, prices=False)
    assert report.left_out == 0
    told = [line for line in differences(shown(live), shown(past)) if not _is_of_nature(line)]
    assert [line for line in told if not ((name, way) in UNREAD and "output.messages" in line)] == []


def _is_of_nature(line: str) -> bool:
    return any(f" {key}" in line for key in (*OF_REQUEST, *KNOWN_BETTER, *FORGOTTEN)) or (
        "runspan.run.unfinished: 'shutdown' / 'archived'" in line
    )


def test_the_docs_list_all_that_differs() -> None:
    text = DOCS.read_text("utf-8")
    listed = (*LEFT_ASIDE - {"llm.provider", "llm.system"}, *OF_REQUEST, *KNOWN_BETTER, *FORGOTTEN)
    assert [key for key in listed if f"`{key.rstrip('.')}" not in text] == []


def test_a_response_gives_the_span_that_was_made_live(tmp_path: Path) -> None:
    from runspan.fake import SimulatedClock, serve

    with (
        serve("text", SimulatedClock(), responses="function") as server,
        client_of("OpenAI", server) as client,
    ):
        if not hasattr(client, "responses"):
            pytest.skip("this client knows no responses")
        with traced(prices=False) as trace:
            responses = list(_function_call(client))
            live = trace.spans()
        objects: list[Any] = [
            {"response": one.model_dump(mode="json"), "input_items": _inputs(client, one.id)}
            for one in responses
        ]
    past, report = imported(objects=objects, prices=False)
    assert (report.left_out, report.found) == (0, {"lists of input": 2, "runs": 2})
    told = [line for line in differences(shown(live), shown(past)) if not _is_of_nature(line)]
    # The input items of one that goes on with another hold what came before it; the app sent the new ones alone.
    assert [line for line in told if f"{responses[1].id} chat gen_ai.input.messages" not in line] == []
    assert [span.name for span in past].count("execute_tool function") == 1


def _function_call(client: Any) -> Any:
    asked: dict[str, Any] = {"model": "gpt-4o-mini", "background": True}
    first = _over(client, client.responses.create(input="How warm is Paris?", **asked))
    yield first
    outputs = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "21"}
        for item in first.output
        if item.type == "function_call"
    ]
    yield _over(client, client.responses.create(input=outputs, previous_response_id=first.id, **asked))


def _over(client: Any, response: Any) -> Any:
    while response.status in ("queued", "in_progress"):
        response = client.responses.retrieve(response.id)
    return response


def _inputs(client: Any, id_: str) -> list[Any]:
    return [item.model_dump(mode="json") for item in client.responses.input_items.list(id_, order="asc")]
