"""What a page says where a name is missing, where a run ended badly, and where several services meet."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from runspan.viewer.endings import UNFINISHED
from runspan.viewer.web import manual

from ..hand_made import operation, span
from ..runs import a_run
from ..wire import Answer

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
    assert get("/docs/..%2fpyproject").status == get("/docs/nothing").status == 404
