"""A chat on one thread: each turn a trace of its own, all of them tied by the session.

The function that the assistant asks for is observed as a tool: its span is the call's span, below the run.
"""

import json
import sys
from collections.abc import Iterator

from openai import OpenAI
from playground import playground

import runspan
from runspan.fake import FunctionCall, Message, Scenario, Tools

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}


@runspan.observe(kind="tool")
def get_weather(city: str) -> str:
    return json.dumps({"city": city, "celsius": 18})


def reply(client: OpenAI, thread_id: str, assistant_id: str, said: str) -> str:
    client.beta.threads.messages.create(thread_id, role="user", content=said)
    runs = client.beta.threads.runs
    run = runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id)
    while run.status == "requires_action":
        calls = run.required_action.submit_tool_outputs.tool_calls
        outputs = [
            {"tool_call_id": call.id, "output": get_weather(**json.loads(call.function.arguments))}
            for call in calls
        ]
        run = runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=thread_id, tool_outputs=outputs)
    return client.beta.threads.messages.list(thread_id, limit=1).data[0].content[0].text.value


def chat(lines: Iterator[str]) -> None:
    with OpenAI() as client:
        helper = client.beta.assistants.create(
            model="gpt-4o", name="Helper", instructions="Be brief.", tools=[WEATHER]
        )
        thread = client.beta.threads.create()
        with runspan.context(session_id=thread.id, user_id="ann"):
            for line in lines:
                with runspan.span("turn", kind="chain", input=line) as turn:
                    answer = reply(client, thread.id, helper.id, line)
                    turn.update(output=answer)
                print(f"> {line}\n{answer}")
                runspan.score("answered", bool(answer), trace_id=turn.trace_id)


if __name__ == "__main__":
    asked = FunctionCall("get_weather", '{"city": "Paris"}')
    with playground(Scenario(phases=(Tools((asked,)), Message("18 degrees.")), poll_after_ms=5), "text"):
        typed = sys.stdin if "-" in sys.argv else ["How warm is Paris?", "Thank you."]
        chat(line.strip() for line in typed)
