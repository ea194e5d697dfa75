"""What can be found by words: the text of a span that goes into the index, and a reader's words as a query.

SQLite's tokenizer knows words by blanks, which Chinese, Japanese, Thai and their neighbours do not have; so each
of their letters stands as a word of its own, in the index and in the query alike, and a query's are a phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runspan.viewer import conversation
from runspan.viewer.conversation import Saids
from runspan.viewer.kinds import is_error, word
from runspan.viewer.messages import show
from runspan.viewer.spans import Span
from runspan.viewer.store.facts import SORTS, error, whole

MAX_TEXT = 20_000  # characters of one span that are indexed
MAX_QUERY = 500
MAX_WORDS = 16
MIN_BEGINNING = 3  # letters; shorter ones begin too many words to be quick, or to tell anything

# Thai, Lao, Myanmar, Khmer; kana, ideographs, their extensions
WITHOUT_BLANKS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
WORD = re.compile(r'"([^"]*)"|(\S+)')

MAX_VALUE = 200  # characters of an attribute that is found by its key and value
# attributes that are not: contents, which are found by their words, and numbers, which have columns
UNNAMED = (
    "gen_ai.input.", "gen_ai.output.", "gen_ai.system_instructions", "gen_ai.prompt", "gen_ai.completion", "gen_ai.tool.",
    "gen_ai.usage.", "input.", "output.", "llm.", "runspan.run.", "openinference.", "langfuse.observation.",
)  # fmt: skip
IDS = ("runspan.run.id", "gen_ai.conversation.id", "session.id", "user.id", "gen_ai.tool.call.id")
VALUES = (
    "gen_ai.tool.name",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "input.value",
    "output.value",
)


def searchable(span: Span, inputs: Saids, outputs: Saids) -> str:
    """The span's own words: of a conversation only what is new in this call, so each is found where it was said."""
    pieces: list[str] = []
    room = MAX_TEXT
    for piece in _pieces(span, inputs, outputs):
        pieces.append(spaced(piece[:room]))
        room -= len(piece)
        if room <= 0:
            break
    return "\n".join(pieces)


def _pieces(span: Span, inputs: Saids, outputs: Saids) -> Iterator[str]:
    attributes = span.attributes
    seen: set[str] = set()
    yield span.name
    if word(span)[0] in SORTS:
        yield str(span.resource.get("service.name") or "")
    for key, value in attributes.items():
        if (
            not key.startswith(UNNAMED)
            and isinstance(value, str | int | float)
            and len(shown := str(value)) <= MAX_VALUE
        ):
            yield f"{key} {shown}"
    for said in (*conversation.new(inputs), *outputs):
        yield from (part.text for part in said.parts if part.text)
    if is_error(span):
        yield error(span)
    for key in _keys(span):
        value = attributes.get(key)
        if value is not None and (shown := show(value)) not in seen:
            seen.add(shown)
            yield shown
    if system := conversation.instructions(attributes):
        yield system


def _keys(span: Span) -> tuple[str, ...]:
    """Ids stand on every span of a run; they are found at the run and its model call. A started Run's texts are its call's."""
    if word(span)[0] not in SORTS:
        return VALUES
    is_told_below = word(span)[0] == "run" and "runspan.run.started_at" in span.attributes
    return IDS if is_told_below else (*VALUES, *IDS)


def spaced(text: str) -> str:
    """Text in which each letter of a script without blanks is a word, and which SQLite takes."""
    return text if text.isascii() else WITHOUT_BLANKS.sub(r" \g<0> ", whole(text))


def query(words: str) -> str:
    """A reader's words as an FTS5 query, all of which must be found; the last may be the beginning of one.

    Nothing of FTS5's own syntax is left in it. Empty when there is no word.
    """
    terms = []
    for quoted, bare in WORD.findall(words[:MAX_QUERY])[:MAX_WORDS]:
        term = " ".join(re.findall(r"\w+", spaced(quoted or bare)))
        if term:
            is_whole = quoted or len(term) < MIN_BEGINNING
            terms.append(f'"{term}"' + ("" if is_whole else "*"))
    return " ".join([*(term.removesuffix("*") for term in terms[:-1]), *terms[-1:]])
