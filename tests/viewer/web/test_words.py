"""What a page says where a name is missing, where a run ended badly, and where several services meet."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from runspan.viewer import Viewer
from runspan.viewer.endings import UNFINISHED
from runspan.viewer.web import manual
from runspan.viewer.web.render import environment

from ..hand_made import messages, operation, span
from ..runs import a_run
from ..wire import Answer
from .test_pages import plain

Get = Callable[[str], Answer]
Send = Callable[..., None]
TRACE = f"/trace/{1:032x}"


@pytest.mark.parametrize(
    ("attributes", "name"), [({"gen_ai.agent.id": "asst_7"}, "asst_7"), ({}, "gpt-4o")], ids=["id", "model"]
)
def test_an_assistant_without_a_name_is_shown_by_its_id_or_model(
    get: Get, send: Send, attributes: dict[str, str], name: str
) -> None:
    of_run = {"runspan.run.status": "completed", "gen_ai.conversation.id": "thread_1", **attributes}
    run = span(1, 0, "invoke_agent", 0, 900, **operation("invoke_agent", of_run))
    send(run, span(2, 1, "chat", 100, 800, **operation("chat", {"gen_ai.response.model": "gpt-4o"})))
    pair = f"/compare?run={1:032x}.{1:016x}&run={1:032x}.{1:016x}"
    for path in ("/", TRACE, "/thread?id=thread_1", "/threads", pair, "/overview"):
        page = get(path).text
        assert f"<bdi>{name}</bdi>" in page, path
        assert "<bdi>invoke_agent</bdi>" not in page, path
    assert json.loads(get("/api/v1/runs").body)["runs"][0]["name"] == name
    assert json.loads(get(f"/api/v1/runs?name={name}").body)["total"] == 1


@pytest.mark.parametrize("why", [*UNFINISHED, "something_new"])
def test_an_unfinished_run_says_why_wherever_it_shows(get: Get, send: Send, why: str) -> None:
    send(*a_run(1, more={"runspan.run.status": "in_progress", "runspan.run.unfinished": why}))
    said = UNFINISHED.get(why, f"runspan did not see this run finish ({why}).")
    run = f"{1:032x}.{2:016x}"
    for path in (
        "/",
        "/traces",
        TRACE,
        "/thread?id=thread_1",
        f"/compare?run={run}&run={run}",
        f"{TRACE}/span/{2:016x}",
    ):
        head = get(path).text.partition('id="split"')[0]  # a trace's page says it before its details do
        assert said in re.sub(r"<[^>]*>", "", head), path
    assert json.loads(get(f"/api/v1/runs/{run}").body)["reason"] == said


def test_several_services_have_a_column_and_one_has_none(get: Get, send: Send) -> None:
    names = {"service.name": "shop"}, {"service.name": "bank"}
    send(span(1, 0, "buy", 0, 9, resource=names[0]), span(2, 1, "pay", 1, 8, resource=names[1]))
    page = get(TRACE).text
    assert re.findall(r'class="c-service"><bdi>(\w+)<', page) == ["shop", "bank"]
    send(span(1, 0, "alone", 0, 9, 2))
    assert "c-service" not in get(f"/trace/{2:032x}").text


def test_the_documentation_is_a_click_away_and_its_links_lead_on(get: Get) -> None:
    assert '<a class="quiet" href="/docs">Docs</a>' in get("/").text
    assert len(manual.titles()) > 20
    for name in manual.titles():
        page = get(f"/docs/{name}")
        assert page.status == 200
        assert "<img" not in page.text
        links = re.findall(r'href="(/[^"]*)"', page.text.partition("<article")[2])
        assert set(links) <= {f"/docs/{one}" for one in manual.titles()} | {"/"}, name
        assert "<!--" not in page.text
        assert "&lt;!--" not in page.text
    assert {"how-to/fastapi", "zh/tutorial"} <= manual.titles().keys()
    article = get("/docs/zh/tutorial").text.partition("<article")[2]
    assert 'href="/docs/how-to/index"' in article  # a link out of a folder, and into another
    for name in ("..%2fpyproject", "../pyproject", "nothing", "api", "contributing/guarantees"):
        assert get(f"/docs/{name}").status == 404, name


def test_an_empty_viewer_says_how_an_app_finds_it(viewer: Viewer, get: Get) -> None:
    for path in ("/", "/traces", "/threads", "/overview"):
        assert f'runspan.instrument(endpoint="{viewer.endpoint}")' in get(path).text
    usual = environment().get_template("parts.html").module.start_here("http://127.0.0.1:4318")
    assert "runspan.instrument()" in usual  # where the exporter looks by itself


@pytest.mark.parametrize(
    ("length", "ends"), [(299, "word"), (300, "word"), (301, "wor…"), (2_000, "wor…")], ids=str
)
def test_a_text_that_is_cut_in_a_list_says_so(get: Get, send: Send, length: int, ends: str) -> None:
    answer = ("word " * 500)[: length - 4] + "word"
    send(*a_run(1, answer=answer))
    line = re.search(r'answer-line" dir="auto">([^<]*)<', get("/").text)
    assert line is not None
    assert len(line[1]) == min(length, 300)
    assert (line[1][-1] == "…") == (ends[-1] == "…")


def test_an_answer_without_a_word_is_said_to_be_empty(get: Get, send: Send) -> None:
    send(*a_run(1, answer=""))
    assert "empty message" in plain(get(f"{TRACE}?span={2:016x}"))


def test_a_comparison_names_what_was_asked(get: Get, send: Send) -> None:
    send(*a_run(1, "Is it **warm**?"), *a_run(2, "Is it cold?", at_ms=60_000))
    page = get(f"/compare?run={2:032x}.{2:016x}&run={1:032x}.{2:016x}").text
    assert "<title>Is it warm? / Is it cold? · compared" in page
    assert re.findall(r'question-line" dir="auto">([^<]*)<', page) == ["Is it warm?", "Is it cold?"]


def test_words_outside_of_runs_are_found_among_all_spans(get: Get, send: Send) -> None:
    send(*a_run(1), span(5, 1, "reindex_everything", 0, 10))
    page = get("/?q=reindex_every").text
    assert "No run matches" in page
    (link,) = re.findall(r'href="(/traces[^"]+)">Search in all spans', page)
    assert f"/trace/{1:032x}" in get(link).text
    assert "Search in all spans" not in get("/?user=nobody").text


def test_two_times_that_may_be_the_same_are_not_called_better(get: Get, send: Send) -> None:
    for n, (rough_s, queue_s) in enumerate(((0.2, 0.25), (0.2, 0.15)), 1):
        more = {"runspan.run.end_uncertainty_s": rough_s}
        send(*a_run(n, at_ms=n * 60_000, more=more, queue_s=queue_s, active_s=float(n)))
    page = plain(get(f"/compare?run={1:032x}.{2:016x}&run={2:032x}.{2:016x}"))
    assert "Queued 0.2 ± 0.1 s 0.1 ± 0.1 s within the ±" in page
    assert "Active 1.0 ± 0.1 s 2.0 ± 0.1 s +100 %" in page
    assert "0.2 ± 0.1 s" in plain(get("/"))


def test_a_model_call_without_words_says_what_it_does(get: Get, send: Send) -> None:
    """The two rounds of a function call: one asks for it, the next brings what it returned."""
    calls = [{"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Paris"}}]
    brought = [{"type": "tool_call_response", "id": "c1", "response": {"celsius": 18}}]
    rounds = (
        {"gen_ai.input.messages": messages(("user", "How warm?")), "gen_ai.output.messages": messages(("assistant", calls))},
        {"gen_ai.input.messages": messages(("tool", brought)), "gen_ai.output.messages": messages(("assistant", "18."))},
    )  # fmt: skip
    for n, attributes in enumerate(rounds, 1):
        send(span(n, 0, "chat", n * 100, n * 100 + 50, **operation("chat", attributes)))
    page = get("/").text
    assert re.findall(r'question-line" dir="auto">([^<]*)<', page) == [
        "tool result: {&#34;celsius&#34;: 18}", "How warm?",
    ]  # fmt: skip
    assert (
        re.findall(r'answer-line" dir="auto">([^<]*)<', page)[1]
        == "calls get_weather({&#34;city&#34;: &#34;Paris&#34;})"
    )
