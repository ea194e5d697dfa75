"""The watched app's background Responses, a trace for each scene, and what the API said of each response.

Backends are held against the latter, not against our spans alone (`shown.py`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from openai import APIError, OpenAI
from openai.types.responses import Response

import runspan
from runspan.fake import FunctionCall, Server
from runspan.fake.responses import SCENARIOS, Message, Scenario, Usage

MODEL, INSTRUCTIONS = "gpt-4o", "Be brief."
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Any = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}
CELSIUS = {"Paris": 18, "Oslo": 7}
ASKS = tuple(FunctionCall("get_weather", json.dumps({"city": city})) for city in CELSIUS)
COMPARED = Scenario((Message("Paris is warmer."),), usage=Usage(130, 9))
POEM = "A span has a parent, a parent has a root, and the root has the time of all."

Facts = dict[str, Any]


@runspan.observe(kind="tool")
def get_weather(city: str) -> str:
    return json.dumps({"city": city, "celsius": CELSIUS[city]})


# ---------------------------------------------------------------- scenes: each gives what it asked and what came of it

Answers = list[tuple[str, Response]]


def create(client: OpenAI, question: Any, **options: Any) -> Response:
    asked = {"model": MODEL, "instructions": INSTRUCTIONS, "background": True, **options}
    return client.responses.create(input=question, **asked)  # type: ignore[no-any-return]


def polled(client: OpenAI, response: Response) -> Response:
    while response.status in ("queued", "in_progress"):
        time.sleep(0.005)
        response = client.responses.retrieve(response.id)
    return response


@runspan.observe
def search_web(client: OpenAI) -> Answers:
    question, tools = "How is the weather in Paris?", [{"type": "web_search"}]
    return [(question, polled(client, create(client, question, tools=tools)))]


@runspan.observe
def call_functions(client: OpenAI) -> Answers:
    question = "Is it warmer in Paris or in Oslo?"
    first = polled(client, create(client, question, tools=[WEATHER]))
    outputs = [
        {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": get_weather(**json.loads(call.arguments)),
        }
        for call in first.output
        if call.type == "function_call"
    ]
    second = create(client, outputs, tools=[WEATHER], previous_response_id=first.id)
    return [(question, first), ("\n".join(o["output"] for o in outputs), polled(client, second))]


@runspan.observe
def resume_stream(client: OpenAI) -> Answers:
    question, seen, response_id = "Write a line about trees.", 0, ""
    try:
        for event in create(client, question, stream=True):
            seen = event.sequence_number  # type: ignore[attr-defined]
            if event.type == "response.created":  # type: ignore[attr-defined]
                response_id = event.response.id  # type: ignore[attr-defined]
    except (APIError, OSError):
        pass  # the connection broke, the response goes on
    for event in client.responses.retrieve(response_id, stream=True, starting_after=seen):
        if event.type == "response.completed":
            return [(question, event.response)]
    raise AssertionError("the resumed stream did not end")


@runspan.observe
def fail(client: OpenAI) -> Answers:
    question = "And now?"
    return [(question, polled(client, create(client, question)))]


@runspan.observe
def converse(client: OpenAI) -> Answers:
    talk, questions = client.conversations.create().id, ("Do oaks sleep?", "And birches?")
    return [(q, polled(client, create(client, q, conversation=talk))) for q in questions]


SERVER, APP = "chat gpt-4o", "call_functions"  # the spans that tools of the server and of the app are below
# With what the server does in each, and its tools: (name, span above).
SCENES: tuple[tuple[Callable[[OpenAI], Answers], tuple[Scenario, ...], tuple[tuple[str, str], ...]], ...] = (
    (
        search_web,
        (SCENARIOS["web_search"].but(usage=Usage(1200, 80, 1024, 64, 32)),),
        (("web_search", SERVER),),
    ),
    (call_functions, (Scenario(ASKS, then=COMPARED, usage=Usage(90, 30)),), (("get_weather", APP),) * 2),
    (resume_stream, (Scenario((Message(POEM),), cuts=(8,), usage=Usage(40, 18)),), ()),
    (fail, (SCENARIOS["failed"],), ()),
    (converse, (Scenario((Message("They do."),)), Scenario((Message("They, too."),))), ()),
)


def responses(client: OpenAI, server: Server) -> tuple[list[Facts], list[tuple[str, str]]]:
    """Every scene once: what the API said of each response, and where the span of each tool belongs."""
    made: list[Facts] = []
    for scene, scenarios, _ in SCENES:
        server.responses.play_next(*scenarios)
        began = time.monotonic()
        answers, took_s = scene(client), time.monotonic() - began
        made += [_facts(scene.__name__, took_s, question, response) for question, response in answers]
    return made, [tool for _, _, tools in SCENES for tool in tools]


def _facts(scene: str, took_s: float, question: str, response: Response) -> Facts:
    usage, talk = response.usage, getattr(response, "conversation", None)
    calls = [item.name for item in response.output if item.type == "function_call"]
    return {
        "id": response.id,
        "scene": scene,
        "above": scene,
        "took_s": took_s,
        "model asked for": MODEL,
        "model": response.model,
        "tokens in": usage.input_tokens if usage else None,
        "tokens out": usage.output_tokens if usage else None,
        "tokens cached": usage.input_tokens_details.cached_tokens if usage else None,
        "tokens written to the cache": usage.input_tokens_details.cache_write_tokens if usage else None,
        "tokens of reasoning": usage.output_tokens_details.reasoning_tokens if usage else None,
        "question": f"{INSTRUCTIONS}\n{question}",
        "answer": response.output_text or "\n".join(calls),
        "error": response.error.code if response.error else None,
        "session": talk.id if talk else response.previous_response_id or response.id,
    }
