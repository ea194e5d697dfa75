"""The picture in the README is what its one line really gives, and both READMEs show the same one."""

from __future__ import annotations

import json

from openai import OpenAI

import runspan
from runspan.fake import FunctionCall, Message, Scenario, Server, Tools, Usage
from runspan.viewer import tree
from tests.support import receiver
from tests.support.page_session import difference
from tests.support.pages import ROOT, blocks_of

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
ASKED = Tools((FunctionCall("get_weather", '{"city": "Paris"}'),))
SCENARIO = Scenario(
    phases=(ASKED, Message("It is 18 °C in Paris.", usage=Usage(627, 34))), queue_s=3, poll_after_ms=1
)


def app() -> None:
    with OpenAI() as client:
        helper = client.beta.assistants.create(
            model="gpt-4o", name="Weather", instructions="Be brief.", tools=[WEATHER]
        )
        thread = client.beta.threads.create(
            messages=[{"role": "user", "content": "How warm is it in Paris?"}]
        )
        runs = client.beta.threads.runs
        run = runs.create_and_poll(thread_id=thread.id, assistant_id=helper.id)
        (call,) = run.required_action.submit_tool_outputs.tool_calls
        output = json.dumps({**json.loads(call.function.arguments), "celsius": 18})
        runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": call.id, "output": output}]
        )
        client.beta.threads.messages.list(thread.id, limit=1)


def test_the_picture_is_what_the_one_line_gives(assistants_server: Server) -> None:
    assistants_server.play_next(SCENARIO)
    with receiver.serve() as received:
        runspan.instrument(endpoint=received.endpoint, prices=False)
        app()
        assert runspan.shutdown()
        drawn = tree.to_text(received.spans, width=80)
    for name in ("README.md", "README.zh-CN.md"):
        (picture,) = [block.source for block in blocks_of(ROOT / name) if block.language == "text"]
        lines = picture.splitlines(keepends=True)
        lines.insert(3, "│  run_1 · thread_1\n")  # ids, which the README leaves out
        assert difference("...\n" + "".join(lines) + "...\n", drawn) == "", drawn
