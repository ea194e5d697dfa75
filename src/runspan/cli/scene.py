"""An hour in the life of a small app, in a few seconds: what the demo and the viewer's tests and pictures show.

Conversations of three assistants, each with the fake server through the official client: polled and streamed, with code, functions
and file search, over threads and sessions, in several scripts, and with every way a run can end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, Protocol

import runspan
from runspan.fake import (
    CodeInterpreter,
    Ending,
    FileCitation,
    FileResult,
    FileSearch,
    FunctionCall,
    Logs,
    Message,
    Scenario,
    Text,
    Tools,
    Usage,
    serve,
)

TUTOR = {
    "model": "gpt-4o",
    "name": "Math Tutor",
    "instructions": "You are a personal math tutor. Write and run code to answer math questions. Keep answers short.",
    "tools": [{"type": "code_interpreter"}],
}
TRAVEL = {
    "model": "gpt-4.1",
    "name": "Travel Desk",
    "instructions": "You plan trips. Look things up before you answer; never invent prices.",
    "tools": [
        {
            "type": "function",
            "function": {"name": name, "description": said, "parameters": {"type": "object"}},
        }
        for name, said in (
            ("get_weather", "The weather of a city"),
            ("find_trains", "Trains between two cities"),
        )
    ],
}
HANDBOOK = {
    "model": "gpt-4o-mini",
    "name": "Handbook",
    "instructions": "Answer from the employee handbook and cite it.",
    "tools": [{"type": "file_search"}],
}

PRICES = {  # USD per million tokens
    "gpt-4o": {"input": 2.5, "output": 10, "cached": 1.25},
    "gpt-4o-mini": {"input": 0.15, "output": 0.6, "cached": 0.075},
    "gpt-4.1": {"input": 2, "output": 8, "cached": 0.5},
}

COMPOUND = """principal, rate, years = 1_000, 0.04, 10
for year in range(1, years + 1):
    principal *= 1 + rate
print(f"{principal:.2f}")"""


@dataclass(frozen=True)
class Talk:
    """One thread: an assistant, and what is asked with what the server will do."""

    assistant: dict[str, Any]
    session: str | None
    user: str
    turns: Sequence[tuple[str, Scenario, str]]  # question, the run's course, "poll" or "stream"

    @property
    def runs(self) -> int:
        return len(self.turns)

    @property
    def partner(self) -> str:
        return str(self.assistant["name"])

    def hold(self) -> None:
        import openai

        with serve() as server, openai.OpenAI(api_key="none", base_url=server.base_url) as client:
            server.play_next(*(scenario for _, scenario, _ in self.turns))
            assistant = client.beta.assistants.create(**self.assistant).id
            thread = client.beta.threads.create().id
            with runspan.context(session_id=self.session or thread, user_id=self.user):
                for question, _, way in self.turns:
                    handle_message(client, thread, assistant, question, way)
            runspan.flush(timeout=15.0)


def answer(
    text: str | tuple[Text, ...], *before: Tools, queue_s: float = 0.2, read: int = 640, cached: int = 0
) -> Scenario:
    """A run that uses these tools and then says this."""
    written = 24 + sum(len(part.value) if isinstance(part, Text) else 1 for part in text) // 3
    message = Message(text, seconds=0.35, token_s=0.008, usage=Usage(read, written, cached))
    return Scenario(phases=(*before, message), queue_s=queue_s)


def code(source: str, printed: str, seconds: float = 0.5) -> Tools:
    """A step of the code interpreter."""
    return Tools((CodeInterpreter(source, (Logs(printed),)),), seconds=seconds, usage=Usage(310, 58))


def functions(*calls: tuple[str, str]) -> Tools:
    """A step in which the app is asked to call functions."""
    wanted = tuple(FunctionCall(name, arguments) for name, arguments in calls)
    return Tools(wanted, seconds=0.25, usage=Usage(402, 36, 256))


def found(*results: tuple[str, float, str]) -> Tools:
    """A step of file search."""
    hits = tuple(FileResult(f"file-{name[:8]}", name, score, content) for name, score, content in results)
    return Tools((FileSearch(hits),), seconds=0.4, usage=Usage(288, 19))


LEAVE = found(
    (
        "leave-policy.md",
        0.91,
        "Parental leave is 26 weeks at full pay, for every parent, to be taken within two years.",
    ),
    ("benefits-2026.md", 0.74, "Leave of any kind does not interrupt the pension plan."),
)

TALKS = (
    Talk(HANDBOOK, "s-5d9e", "mei", (
        ("出差的住宿标准是多少？", answer("每晚最高 180 欧元,超出部分需要经理批准。", found(
            ("travel-policy.md", 0.88, "住宿标准:每晚最高 180 欧元。超出部分须经理书面批准。")), read=1511), "stream"),
    )),
    Talk(TUTOR, "s-3f81", "ada", (
        ("Please solve 3x + 11 = 14 for x.", answer("Subtract 11 and divide by 3: x = 1."), "poll"),
        ("What do 1,000 € become in ten years at 4 %?", answer(
            "After ten years there are 1,480.24 €.", code(COMPOUND, "1480.24"), read=812, cached=512), "stream"),
        ("And with 5 %? Compare both in one sentence.", answer(
            "At 5 % it is 1,628.89 €, which is 148.65 € more than at 4 %.",
            code(COMPOUND.replace("0.04", "0.05"), "1628.89", 0.7), read=1104, cached=768), "stream"),
    )),
    Talk(TRAVEL, "s-77c0", "grace", (
        ("I want to see the sea this weekend, from Lyon. By train, please.", answer(
            "Marseille: sunny, 24 °C, and the 08:04 TGV takes 1 h 44 for 39 €.",
            functions(("get_weather", '{"city": "Marseille"}'), ("find_trains", '{"from": "Lyon", "to": "Marseille"}')),
            read=1210, cached=256), "poll"),
        ("Which train brings me back on Sunday evening?", answer(
            "The 19:06 from Marseille, in Lyon at 20:52, 42 €.",
            functions(("find_trains", '{"from": "Marseille", "to": "Lyon", "after": "18:00"}')),
            read=1433, cached=1024), "stream"),
    )),
    Talk(HANDBOOK, "s-77c0", "grace", (
        ("How long is parental leave here, and does it change my pension?", answer(
            (Text("Parental leave is 26 weeks at full pay, and the pension plan goes on unchanged.",
                  (FileCitation("file-leave-po"),)),), LEAVE, read=1902), "poll"),
    )),
    Talk(TRAVEL, "s-0b12", "omar", (
        ("ما حالة الطقس في مراكش غدًا؟ وهل أحتاج إلى مظلة (umbrella)؟", answer(
            "غدًا مشمس في مراكش، 27 °C، ولا تحتاج إلى مظلة.", functions(("get_weather", '{"city": "مراكش"}'))), "poll"),
    )),
    Talk(TUTOR, None, "linus", (
        ("Prove the Riemann hypothesis.", Scenario(
            phases=(Message("Let me", seconds=0.6, usage=Usage(210, 4)),), queue_s=0.9,
            ending=Ending("failed", code="rate_limit_exceeded",
                          message="Rate limit reached for gpt-4o: please try again in 20 s.", open_step=True)), "poll"),
        ("Then list the first hundred thousand primes.", Scenario(
            phases=(Message("2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43,", seconds=0.4, cut="max_tokens",
                            usage=Usage(260, 48)),),
            ending=Ending("incomplete", reason="max_completion_tokens"), queue_s=0.15), "stream"),
    )),
    Talk(TRAVEL, None, "margaret", (
        ("Book me the moon.", Scenario(
            phases=(Message("One moment", seconds=0.5, usage=Usage(190, 5)),), queue_s=0.3,
            ending=Ending("expired", open_step=True)), "poll"),
    )),
)  # fmt: skip

_TUTOR, _TRAVEL, _FAILS = TALKS[1], TALKS[2], TALKS[5]
# For the terminal: polled, streamed with code, two functions at once, and failed.
FEW = (
    replace(_TUTOR, turns=_TUTOR.turns[:2]),
    replace(_TRAVEL, turns=_TRAVEL.turns[:1]),
    replace(_FAILS, turns=_FAILS.turns[:1]),
)


@runspan.observe(kind="tool")
def get_weather(city: str) -> dict[str, Any]:
    """The weather, as far as the demo knows it."""
    time.sleep(0.18)  # a look into somebody's API
    return {"city": city, "celsius": 27 if "م" in city else 24, "sky": "sunny", "wind_kmh": 11}


@runspan.observe(kind="tool")
def find_trains(**wanted: str) -> list[dict[str, Any]]:
    """Two trains, whatever is asked."""
    time.sleep(0.26)
    return [
        {"train": "TGV 6107", "departs": "08:04", "arrives": "09:48", "euros": 39},
        {"train": "TGV 6113", "departs": "19:06", "arrives": "20:52", "euros": 42},
    ]


FUNCTIONS: dict[str, Callable[..., Any]] = {"get_weather": get_weather, "find_trains": find_trains}


class Held(Protocol):
    """What a user says to an app, and how many runs come of it."""

    @property
    def user(self) -> str: ...
    @property
    def runs(self) -> int: ...
    @property
    def partner(self) -> str:
        """Who answers."""
        ...

    def hold(self) -> None: ...


def play(say: Callable[[str], None], talks: Sequence[Held] = TALKS) -> None:
    """Hold all conversations at once, and say which is over; returns when their spans are delivered."""
    with ThreadPoolExecutor(4) as pool:
        held = {pool.submit(talk.hold): talk for talk in talks}
        for over in as_completed(held):
            over.result()
            talk = held[over]
            say(f"  {talk.user}: {talk.runs} {'run' if talk.runs == 1 else 'runs'} with {talk.partner}")
    runspan.flush(timeout=15.0)


def warm_up() -> None:
    """A client loads most of itself at its first calls: before tracing, so that no trace is the longer for it."""
    replace(FEW[0], turns=((FEW[0].turns[0][0], answer("Warm.", queue_s=0.0), "poll"),)).hold()


@runspan.observe(capture_input=False)
def handle_message(client: Any, thread_id: str, assistant_id: str, question: str, way: str) -> str:
    """What an app does with a user's message."""
    runspan.update(input=question)  # the client and the ids say nothing to a reader
    threads = client.beta.threads
    threads.messages.create(thread_id, role="user", content=question)
    if way == "stream":
        with threads.runs.stream(thread_id=thread_id, assistant_id=assistant_id) as stream:
            stream.until_done()
        run = stream.current_run
    else:
        run = threads.runs.create_and_poll(
            thread_id=thread_id, assistant_id=assistant_id, poll_interval_ms=120
        )
    while run.status == "requires_action":
        outputs = call_functions(run.required_action.submit_tool_outputs.tool_calls)
        runs = threads.runs
        run = runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread_id, tool_outputs=outputs, poll_interval_ms=120
        )
    newest = threads.messages.list(thread_id, order="desc", limit=1).data[0]
    return str(newest.content[0].text.value) if newest.role == "assistant" else str(run.status)


def call_functions(calls: Sequence[Any]) -> list[Any]:
    """The app's answers to what the run asks for."""

    outputs = []
    for call in calls:
        result = FUNCTIONS[call.function.name](**json.loads(call.function.arguments))
        outputs.append({"tool_call_id": call.id, "output": json.dumps(result, ensure_ascii=False)})
    return outputs
