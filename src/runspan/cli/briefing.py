"""The demo's app on the Responses API: a question answered in the background, with a tool of the server's and one of the app's."""

from __future__ import annotations

import inspect
import json
import time
from dataclasses import dataclass
from typing import Any

import runspan
from runspan.fake import responses, serve

from .scene import FUNCTIONS

POLL_S = 0.12
TOOLS = [
    {"type": "web_search"},
    {
        "type": "function",
        "name": "find_trains",
        "description": "Trains between two cities",
        "parameters": {"type": "object"},
    },
]
PAGE = {
    "type": "url_citation",
    "url": "https://example.com/marseille-jazz",
    "title": "Jazz in Marseille",
    "start_index": 0,
    "end_index": 21,
}
SEARCH = {
    "type": "search",
    "query": "jazz festival Marseille December",
    "queries": ["jazz festival Marseille December"],
}
ANSWER = "The festival in Marseille starts on Saturday at 20:30. The 08:04 TGV is there at 09:48, for 39 €."
COURSE = responses.Scenario(
    items=(
        responses.Reasoning(
            ("**Planning**\n\nFirst the festival, then a train that is there in time.",), seconds=0.2
        ),
        responses.Item("web_search_call", {"action": SEARCH}, seconds=0.4),
        responses.FunctionCall("find_trains", '{"from": "Lyon", "to": "Marseille"}'),
    ),
    queue_s=0.5,
    usage=responses.Usage(2210, 190, cached_tokens=1024, reasoning_tokens=128),
    then=responses.Scenario(
        items=(responses.Message((responses.Text(ANSWER, (PAGE,)),), seconds=0.4, token_s=0.01),),
        queue_s=0.2,
        usage=responses.Usage(2630, 44, cached_tokens=2048),
    ),
)


@dataclass(frozen=True)
class Briefing:
    """One question, two responses in the background: the first ends with a call of the app's function."""

    user: str = "lin"
    session: str = "s-91e4"
    question: str = "Is there jazz in Marseille this weekend, and how do I get there from Lyon?"
    runs: int = 2
    partner: str = "gpt-4.1 in the background"

    def hold(self) -> None:
        import openai

        with (
            serve(responses=COURSE) as server,
            openai.OpenAI(api_key="none", base_url=server.base_url) as client,
        ):
            with runspan.context(session_id=self.session, user_id=self.user):
                research(client, self.question)
            runspan.flush(timeout=15.0)


def is_known() -> bool:
    """The installed client can run responses in the background."""
    try:
        from openai.resources.responses import Responses
    except ImportError:
        return False
    return "background" in inspect.signature(Responses.create).parameters


@runspan.observe(capture_input=False)
def research(client: Any, question: str) -> str:
    """What an app does with a question that takes its time."""
    runspan.update(input=question)
    response = wait(client, input=question)
    while calls := [item for item in response.output if item.type == "function_call"]:
        outputs = [
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": json.dumps(FUNCTIONS[call.name](**json.loads(call.arguments)), ensure_ascii=False),
            }
            for call in calls
        ]
        response = wait(client, input=outputs, previous_response_id=response.id)
    return str(response.output_text)


def wait(client: Any, **request: Any) -> Any:
    """A response in the background, polled to its end."""
    response = client.responses.create(model="gpt-4.1", tools=TOOLS, background=True, **request)
    while response.status in ("queued", "in_progress"):
        time.sleep(POLL_S)
        response = client.responses.retrieve(response.id)
    return response
