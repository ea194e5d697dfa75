"""The Assistants API: assistants, threads, messages, runs, run steps."""

from __future__ import annotations

from ..api import Api
from . import objects, statuses
from .events import EVENTS
from .follow_ups import FOLLOW_UPS, lacks, missing
from .routes import match

API = Api(
    name="assistants",
    match=match,
    phases={status: phase for status, (phase, _) in statuses.RUN.items()},
    vocabulary=statuses.VOCABULARY,
    read_request=objects.run_request,
    read_run=objects.run,
    conversation_field="thread_id",
    paths_name_conversations=True,
    poll_fields=objects.POLLED,
    waits_mark=b'"requires_action"',
    calls_path=("required_action", "submit_tool_outputs", "tool_calls", "function"),
    events=EVENTS,
    follow_ups=FOLLOW_UPS,
    lacks=lacks,
    missing=missing,
    headers={"OpenAI-Beta": "assistants=v2"},
    version_header="OpenAI-Beta",
    metadata_keys=16,
)
