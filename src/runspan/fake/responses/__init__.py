"""The Responses half of the server: /responses, /conversations and webhooks, with their scenarios.

from runspan.fake import responses, serve

with serve(responses=responses.Scenario(items=(responses.Message("Hello."),), queue_s=2.0)) as server:
    ...
"""

from runspan.fake.responses.library import SCENARIOS
from runspan.fake.responses.scenarios import (
    Ending,
    Item,
    Message,
    Output,
    Reasoning,
    Scenario,
    Text,
    Usage,
)
from runspan.fake.responses.webhooks import SECRET, Delivery, Webhook
from runspan.fake.scenarios import Auto, FunctionCall, Refusal

__all__ = [
    "SCENARIOS",
    "SECRET",
    "Auto",
    "Delivery",
    "Ending",
    "FunctionCall",
    "Item",
    "Message",
    "Output",
    "Reasoning",
    "Refusal",
    "Scenario",
    "Text",
    "Usage",
    "Webhook",
]
