"""A response that asks for a function: the next request answers it. Two generations and the tool's span in one trace."""

import json
import time
from typing import Any

from openai import OpenAI
from playground import playground

import runspan
from runspan.fake import FunctionCall
from runspan.fake.responses import Message, Scenario

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@runspan.observe(kind="tool")
def get_weather(city: str) -> str:
    return json.dumps({"city": city, "celsius": 18})


def finished(client: OpenAI, response: Any) -> Any:
    while response.status in ("queued", "in_progress"):
        time.sleep(0.05)
        response = client.responses.retrieve(response.id)
    return response


def answer(call: Any) -> str:
    return get_weather(**json.loads(call.arguments))


@runspan.observe
def ask(client: OpenAI, question: str) -> str:
    asked: dict[str, Any] = {"model": "gpt-4o", "tools": [WEATHER], "background": True}
    response = finished(client, client.responses.create(input=question, **asked))
    while calls := [item for item in response.output if item.type == "function_call"]:
        outputs: Any = [
            {"type": "function_call_output", "call_id": call.call_id, "output": answer(call)}
            for call in calls
        ]
        following = client.responses.create(previous_response_id=response.id, input=outputs, **asked)
        response = finished(client, following)
    return str(response.output_text)


def main() -> None:
    with OpenAI() as client:
        print(ask(client, "How warm is Paris?"))


if __name__ == "__main__":
    then = Scenario((Message("18 degrees."),))
    with playground(responses=[Scenario((FunctionCall("get_weather", '{"city": "Paris"}'),), then=then)]):
        main()
