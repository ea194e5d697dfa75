"""The Responses API: responses in the background, which are runs; on request all responses. And its conversations."""

from __future__ import annotations

from msgspec.structs import replace

from ...core.fields import Wire, ident, mapping, text
from ..api import Api
from . import objects, statuses
from .events import EVENTS
from .follow_ups import FOLLOW_UPS, lacks
from .routes import answers, match_all, match_background

BESIDE_OTHERS = 'Responses in the background have one span of runspan\'s, with their tokens; responses="none" leaves them to it.'
BESIDE_OTHERS_ALL = (
    "All Responses have a span of runspan's, so a backend may count their tokens twice; "
    'responses="background" leaves plain and streamed ones to it.'
)


def announced(event: Wire) -> str | None:
    """The response whose end an event of a webhook tells: it holds the id alone."""
    return (
        ident(mapping(event, "data")) or None if (text(event, "type") or "").startswith("response.") else None
    )


_BACKGROUND = Api(
    name="responses",
    match=match_background,
    phases={status: phase for status, (phase, _) in statuses.RUN.items()},
    vocabulary=statuses.VOCABULARY,
    read_request=objects.request,
    read_run=objects.run,
    conversation_field="id",
    poll_fields=objects.POLLED,
    waits_mark=b'"call_id"',
    calls_path=("output",),
    events=EVENTS,
    follow_ups=FOLLOW_UPS,
    lacks=lacks,
    missing=lacks,
    metadata_keys=16,
    runs_apart=True,
    answers=answers,
    announced=announced,
    beside_others=BESIDE_OTHERS,
)
_ALL = replace(_BACKGROUND, match=match_all, beside_others=BESIDE_OTHERS_ALL)

API = replace(
    _BACKGROUND, option="responses", variants={"background": _BACKGROUND, "all": _ALL, "none": None}
)
