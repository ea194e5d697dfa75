"""Questions to a real receiver."""

from __future__ import annotations

from runspan.viewer.spans import Span
from tests.support.receiver import Receiver


def of(receiver: Receiver, operation: str) -> list[Span]:
    """Its spans of one `gen_ai.operation.name`; one that was sent twice is there twice."""
    return [s for s in receiver.spans if s.attributes.get("gen_ai.operation.name") == operation]


def runs(receiver: Receiver) -> list[Span]:
    return of(receiver, "invoke_agent")


def generations(receiver: Receiver) -> list[Span]:
    return of(receiver, "chat")


def run_ids(receiver: Receiver) -> list[str]:
    """Of all run spans, sorted; a run that came twice is there twice."""
    return sorted(str(s.attributes.get("runspan.run.id")) for s in runs(receiver))


def unfinished(receiver: Receiver) -> dict[str, str]:
    """Run id -> reason, of runs whose end was not seen."""
    key = "runspan.run.unfinished"
    return {
        str(s.attributes["runspan.run.id"]): str(s.attributes[key])
        for s in runs(receiver)
        if key in s.attributes
    }
