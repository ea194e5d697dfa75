"""Runs as trees of spans: what tests of assembly begin with."""

from __future__ import annotations

from typing import Any

from runspan.core.assembly import assemble
from runspan.core.conversation import Conversation
from runspan.core.lifecycle import RunState
from runspan.core.model import Agent, Message, Part, RunFacts, SpanData
from runspan.core.redact import Texts
from tests.core.words import A, S, after, begun, event, said

CAPTURED = Texts()
ASSISTANT = Agent("asst_1", "Math Tutor", "Teaches.", "gpt-4o")


def answer(text: str, id_: str = "m2", **fields: Any) -> Message:
    return Message(
        id_, "assistant", (Part("text", text),), **{"created_at": A + 2, "run_id": "run_1", **fields}
    )


LOG = Conversation((said("q1", "m1", created_at=A), answer("a1")), whole_since_start=True)


def tree(state: RunState, log: Conversation = LOG, texts: Texts = CAPTURED, **more: Any) -> SpanData:
    return assemble(state, log, more.pop("agent", ASSISTANT), texts, **more)


def facts(span: SpanData) -> RunFacts:
    assert isinstance(span.facts, RunFacts)
    return span.facts


def ended(status: str, **fields: Any) -> RunState:
    return after(
        event(S, "queued"), event(2 * S, "in_progress"), event(5 * S, status, **fields), state=begun(0, S)
    )
