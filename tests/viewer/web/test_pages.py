from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from runspan.viewer import Viewer
from runspan.viewer.spans import Link
from runspan.viewer.web.waterfall import PAGE_ROWS

from ..hand_made import ERROR, messages, operation, span
from ..runs import a_run
from ..wire import Answer

Get = Callable[[str], Answer]
Send = Callable[..., None]


def plain(page: Answer) -> str:
    """The words on a page."""
    assert page.status == 200
    main = page.text.partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


def test_the_runs_page_tells_each_runs_facts(get: Get, send: Send) -> None:
    send(*a_run(1, "Umbrella tomorrow?", "No.", more={"session.id": "s1", "user.id": "ada"}))
    said = plain(get("/"))
    for fact in (
        "completed",
        "Weather",
        "Umbrella tomorrow?",
        "No.",
        "gpt-4o-2024",
        "250 ms",
        "1.75 s",
        "138",
        "$0.0125",
        "s1",
        "ada",
    ):
        assert fact in said, fact


@pytest.mark.parametrize(
    "query",
    ["sort=nonsense", "order=asc", "page=99999999999", "page=-1", "page=%00", "since=1y", "status=%27%3B--",
     "q=%22", "q=" + "a" * 900, "q=%ff%fe", "day=9999-12-31", "day=0001-01-01", "min=999999999h",
     "name=%F0%9F%8C%A4", "page=2&page=3"],
)  # fmt: skip
def test_whatever_is_asked_for_gets_a_page(get: Get, send: Send, query: str) -> None:
    send(*a_run(1))
    for path in (
        "/",
        "/traces",
        "/threads",
        "/overview",
        "/api/v1/runs",
        "/api/v1/traces",
        "/api/v1/stats",
        "/api/v1/export",
    ):
        assert get(f"{path}?{query}").status == 200, path


@pytest.mark.parametrize(
    "path",
    [
        "/trace/xyz",
        "/trace/00",
        "/trace/" + "f" * 32,
        "/trace/00/span/11",
        "/thread",
        "/thread?id=x",
        "/session?id=",
        "/trace/00/otlp.json",
        "/compare?run=a&run=b",
        "/nope",
    ],
)
def test_what_is_not_there_is_said_so(get: Get, path: str) -> None:
    assert get(path).status == 404


def test_a_list_has_pages(get: Get, send: Send) -> None:
    for n in range(1, 56):
        send(*a_run(n, at_ms=n * 10_000))
    first = get("/?name=Weather")
    assert "1–50 of 55" in plain(first)
    (after,) = re.findall(r'rel="next" href="([^"]+)"', first.text)
    second = get(after.replace("&amp;", "&"))
    assert "51–55 of 55" in plain(second)
    assert second.text.count("data-row") == 5
    assert 'rel="prev" href="/?name=Weather"' in second.text


def test_a_trace_opens_at_its_run_or_at_the_span_asked_for(get: Get, send: Send) -> None:
    send(*a_run(1))
    page = get(f"/trace/{1:032x}").text
    assert re.findall(r'id="s-(\w+)"[^>]*aria-selected', page) == [f"{2:016x}"]
    page = get(f"/trace/{1:032x}?span={4:016x}").text
    assert re.findall(r'id="s-(\w+)"[^>]*aria-selected', page) == [f"{4:016x}"]
    assert "&#34;city&#34;: &#34;Paris&#34;" in page
    assert get(f"/trace/{1:032X}?span=junk").status == 200


def test_the_panel_alone_is_what_the_page_has(get: Get, send: Send) -> None:
    send(*a_run(1))
    panel = get(f"/trace/{1:032x}/span/{4:016x}?from={a_run(1)[0].start_ns}").text
    assert "<html" not in panel
    assert panel.strip() in get(f"/trace/{1:032x}?span={4:016x}").text


def test_spans_whose_parent_is_missing_have_a_place(get: Get, send: Send) -> None:
    send(span(5, 99, "orphan", 0, 10), span(6, 5, "child", 1, 2))
    said = plain(get(f"/trace/{1:032x}"))
    assert "missing parent 0000000000000063" in said
    assert "orphan" in said


def test_links_errors_and_odd_times_are_shown(get: Get, send: Send) -> None:
    link = Link(f"{7:032x}", f"{8:016x}")
    send(
        replace(
            span(1, 0, "broken", 5, 1, **ERROR), status_message="it\x1b[31m failed", links=(link,), end_ns=0
        )
    )
    page = get(f"/trace/{1:032x}")
    assert f"/trace/{7:032x}?span={8:016x}" in page.text
    assert "it␛[31m failed" in plain(page)


def test_a_thread_shows_each_message_once(get: Get, send: Send) -> None:
    first = (("user", "one"), ("assistant", "two"))
    send(*a_run(1, "one", "two"))
    send(*a_run(2, "three", "four", at_ms=5_000, earlier=first))
    # The third failed without an answer, so the fourth was given its question again.
    third = a_run(
        3,
        "five",
        "",
        at_ms=9_000,
        status="failed",
        earlier=(*first, ("user", "three"), ("assistant", "four")),
    )
    for key in ("gen_ai.output.messages", "output.value"):
        for one in third:
            dict.pop(one.attributes, key, None)  # type: ignore[arg-type]
    send(*third)
    again = (*first, ("user", "three"), ("assistant", "four"), ("user", "five"))
    send(*a_run(4, "six", "seven", at_ms=13_000, earlier=again))
    page = get("/thread?id=thread_1").text
    words = re.findall(r'class="text[^"]*" dir="auto">(\w+)<', page)
    assert words == ["one", "two", "three", "four", "five", "six", "seven"]
    assert page.count('class="runcard"') == 4
    assert "get_weather" in page


def test_a_session_names_its_threads(get: Get, send: Send) -> None:
    for n, thread in ((1, "t-a"), (2, "t-a"), (3, "t-b")):
        send(*a_run(n, f"q{n}", at_ms=n * 5_000, more={"session.id": "s1", "gen_ai.conversation.id": thread}))
    page = get("/session?id=s1").text
    assert re.findall(r'class="divider"><span>thread <a[^>]*>([^<]+)', page) == ["t-a", "t-b"]
    assert "q1" in plain(get("/sessions"))


def test_two_runs_are_compared(get: Get, send: Send) -> None:
    send(
        *a_run(1, answer="Sunny and warm.", tokens=(100, 10)),
        *a_run(2, answer="Sunny and cold.", tokens=(150, 10)),
    )
    page = get(f"/compare?run={1:032x}.{2:016x}&run={2:032x}.{2:016x}")
    said = plain(page)
    assert "+50 %" in said
    assert re.findall(r"<mark[^>]*>(\w+)<", page.text) == ["warm", "cold"]


def test_a_fault_of_ours_is_a_page_that_says_so(
    viewer: Viewer, get: Get, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the store")

    monkeypatch.setattr(viewer.store, "page", broken)
    answer = get("/")
    assert answer.status == 500
    assert "secret" not in answer.text
    assert answer.headers["content-security-policy"]


def test_a_download_is_a_file_that_another_viewer_takes(viewer: Viewer, get: Get, send: Send) -> None:
    from ..wire import post

    send(*a_run(1))
    answer = get(f"/trace/{1:032x}/otlp.json")
    assert "attachment" in answer.headers["content-disposition"]
    assert post(viewer.port, answer.body, content_type="application/json").status == 200
    assert tuple(viewer.store.spans(f"{1:032x}")) == a_run(1)


def test_nothing_of_a_span_is_lost_on_its_page(get: Get, send: Send) -> None:
    attributes = {f"key.{n}": f"value-{n}" for n in range(50)} | {
        "a list": [1, "two", [3.5]],
        "bytes": b"\x00\x01",
    }
    send(span(1, 0, "wide", 0, 1, **operation("", attributes)))
    said = plain(get(f"/trace/{1:032x}"))
    assert all(f"value-{n}" in said for n in range(50))
    assert "[1, &#34;two&#34;, [3.5]]" in said


def test_tool_calls_in_messages_are_not_shown_beside_their_spans(get: Get, send: Send) -> None:
    spans = a_run(1, answer="Sunny.")
    call = {"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Paris"}}
    result = {"type": "tool_call_response", "id": "c1", "response": {"celsius": 18}}
    said = messages(("assistant", [call]), ("tool", [result]), ("assistant", "Sunny."))
    changed = replace(spans[2], attributes={**spans[2].attributes, "gen_ai.output.messages": said})
    send(*spans[:2], changed, spans[3])
    page = get("/thread?id=thread_1").text
    assert re.findall(r'class="bubble r-(\w+)"', page) == ["user", "assistant"]
    whole = get(f"/trace/{1:032x}?span={3:016x}").text
    assert re.findall(r'class="bubble r-(\w+)"', whole) == ["user", "assistant", "tool", "assistant"]


def test_the_question_is_the_title_and_the_answer_stands_below_it(get: Get, send: Send) -> None:
    send(*a_run(1, "Will it **rain**?", "No, it is `sunny`."))
    page = get(f"/trace/{1:032x}").text
    assert "<title>Will it rain? · Weather · runspan</title>" in page
    assert re.findall(r"<h1[^>]*>([^<]+)<", page) == ["Will it rain?"]
    assert re.findall(r'<p class="answer"[^>]*>([^<]+)<', page) == ["No, it is sunny."]


def test_older_and_newer_runs_are_one_step_away(get: Get, send: Send) -> None:
    for n in (1, 2, 3):
        send(*a_run(n, f"question {n}", at_ms=n * 10_000))
    page = get(f"/trace/{2:032x}").text
    assert re.findall(r'href="/trace/(\w+)\?span=\w+" rel="(\w+)"', page) == [
        (f"{1:032x}", "prev"),
        (f"{3:032x}", "next"),
    ]
    assert 'rel="prev"' not in get(f"/trace/{1:032x}").text


def test_a_guessed_end_has_its_spread(get: Get, send: Send) -> None:
    send(*a_run(1, end_uncertainty_s=0.5))
    assert "1.8 ± 0.2 s" in plain(get(f"/trace/{1:032x}"))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"status": "expired"}, "submit them sooner"),
        ({"status": "in_progress", "unfinished": "stream_closed"}, "closed the stream"),
        ({"status": "in_progress", "unfinished": "something new"}, "(something new)"),
        ({"status": "incomplete"}, "max_completion_tokens"),
    ],
)
def test_a_bad_end_says_why_and_what_to_do(get: Get, send: Send, facts: dict[str, str], words: str) -> None:
    send(*a_run(1, **facts))
    assert words in plain(get(f"/trace/{1:032x}"))


def test_long_texts_are_folded_and_copied_as_they_are(get: Get, send: Send) -> None:
    answer = "**A** long answer. " * 400
    send(*a_run(1, "short", answer))
    page = get(f"/trace/{1:032x}").text
    assert "Show all 7,600 characters" in page
    assert page.count(f'data-source="{answer}"') == 1


def test_parallel_tools_stand_in_the_order_of_the_run(get: Get, send: Send) -> None:
    # Same start, ids that sort the other way.
    tools = [
        span(50 - n, 2, f"tool {n}", 700, 800, **operation("execute_tool", {"gen_ai.tool.name": f"t{n}"}))
        for n in range(5)
    ]
    send(*a_run(1)[:3], *tools)
    page = get(f"/trace/{1:032x}").text
    assert re.findall(r"<bdi>(tool \d)</bdi>", page) == [f"tool {n}" for n in range(5)]
    assert re.findall(r"<bdi>(t\d)</bdi>", page) == [f"t{n}" for n in range(5)]


def test_a_trace_longer_than_a_page_is_whole_over_its_pages(get: Get, send: Send) -> None:
    spans = [span(n, 0 if n == 1 else 1, f"step {n}", n, n + 1) for n in range(1, PAGE_ROWS + 51)]
    for at in range(0, len(spans), 500):
        send(*spans[at : at + 500])
    first = get(f"/trace/{1:032x}").text
    (after,) = re.findall(r'rel="next" href="([^"]+rows=2[^"]*)"', first)
    second = get(after.replace("&amp;", "&")).text
    found = [re.findall(r"<bdi>(step \d+)</bdi></a>", page) for page in (first, second)]
    assert [len(names) for names in found] == [PAGE_ROWS, 50]
    assert sorted({*found[0], *found[1]}) == sorted(one.name for one in spans)
    late = get(f"/trace/{1:032x}?span={PAGE_ROWS + 20:016x}").text
    assert re.findall(r'id="s-(\w+)"[^>]*aria-selected', late) == [f"{PAGE_ROWS + 20:016x}"]


def test_the_older_run_stands_left_and_a_bad_run_is_no_win(get: Get, send: Send) -> None:
    send(
        *a_run(1, answer="Sunny.", tokens=(100, 10)), *a_run(2, answer="Rain.", at_ms=60_000, tokens=(50, 5))
    )
    pair = [f"{n:032x}.{2:016x}" for n in (2, 1)]
    page = get(f"/compare?run={pair[0]}&run={pair[1]}").text
    assert re.findall(r'class="side" href="/trace/(\w+)', page) == [f"{1:032x}", f"{2:032x}"]
    assert "is-less" in page
    send(*a_run(3, status="failed", at_ms=90_000, tokens=(5, 1)))
    page = get(f"/compare?run={pair[1]}&run={3:032x}.{2:016x}").text
    assert "is-less" not in page


@pytest.mark.parametrize("path", ["/", "/traces", "/threads", "/sessions"])
def test_every_list_filters_and_sorts(get: Get, send: Send, path: str) -> None:
    for n, status in ((1, "completed"), (2, "failed"), (3, "completed")):
        more = {
            "session.id": f"s{n}",
            "gen_ai.conversation.id": f"t{n}",
            "user.id": f"u{n}",
            "app.tenant": f"acme{n}",
        }
        send(
            *a_run(
                n,
                f"question {n}",
                f"word{n}",
                at_ms=n * 10_000,
                status=status,
                tokens=(n * 100, 1),
                more=more,
            )
        )

    def rows(query: str) -> list[str]:
        return re.findall(r"(?:<mark>)?question(?:</mark>)? (\d)</span>\s*</a>", get(f"{path}?{query}").text)

    assert rows("") == ["3", "2", "1"]
    for query, expected in (
        ("errors=1", ["2"]), ("q=word3", ["3"]), ("attr=app.tenant%3Dacme1", ["1"]), ("user=u2", ["2"]),
        ("status=completed&sort=tokens&order=asc", ["1", "3"]), ("sort=tokens", ["3", "2", "1"]), ("min=2m", []),
        ("service=math-tutor", ["3", "2", "1"]), ("service=other", []), ("since=1h", []), ("day=2026-01-05", ["3", "2", "1"]),
    ):  # fmt: skip
        assert rows(query) == expected, query


def test_a_search_for_an_id_goes_there(get: Get, send: Send) -> None:
    send(*a_run(7))
    for name, place in (
        (f"{7:032x}", f"/trace/{7:032x}"),
        ("run_7", f"/trace/{7:032x}?span={2:016x}"),
        ("thread_1", "/thread?id=thread_1"),
    ):
        answer = get(f"/?q={name}")
        assert (answer.status, answer.headers["location"]) == (303, place)
