"""Function calls answered inside `on_event`, with a second handler for what follows: one run, one trace, two streams."""

import json
from typing import Any

from openai import AssistantEventHandler, OpenAI
from playground import playground

from runspan.fake import FunctionCall, Message, Scenario, Tools

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
TWO_CITIES = (
    FunctionCall("get_weather", '{"city": "Paris"}'),
    FunctionCall("get_weather", '{"city": "Oslo"}'),
)


def get_weather(city: str) -> str:
    return json.dumps({"city": city, "celsius": {"Paris": 18, "Oslo": 7}[city]})


class Answering(AssistantEventHandler):
    def __init__(self, client: OpenAI) -> None:
        super().__init__()
        self.client = client

    def on_event(self, event: Any) -> None:
        if event.event != "thread.run.requires_action":
            return
        run = event.data
        calls = run.required_action.submit_tool_outputs.tool_calls
        outputs = [
            {"tool_call_id": c.id, "output": get_weather(**json.loads(c.function.arguments))} for c in calls
        ]
        with self.client.beta.threads.runs.submit_tool_outputs_stream(
            thread_id=run.thread_id,
            run_id=run.id,
            tool_outputs=outputs,
            event_handler=AssistantEventHandler(),
        ) as stream:
            print("".join(stream.text_deltas))


def main() -> None:
    with OpenAI() as client:
        helper = client.beta.assistants.create(model="gpt-4o", name="Weather", tools=[WEATHER])
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Paris or Oslo?"}])
        with client.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id=helper.id, event_handler=Answering(client)
        ) as stream:
            stream.until_done()


if __name__ == "__main__":
    with playground(Scenario(phases=(Tools(TWO_CITIES), Message("Paris is warmer.")))):
        main()
