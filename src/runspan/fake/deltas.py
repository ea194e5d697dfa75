"""Messages and tool calls in pieces, as streams bring them. A message's content is the sum of its deltas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from runspan.fake.answers import reply
from runspan.fake.scenarios import Content, FileCitation, FilePath, ImageFile, Part, Refusal, Text
from runspan.fake.store import Object

if TYPE_CHECKING:
    from runspan.fake.run import Run

TOKEN = re.compile(r"\s*\S{1,8}|\s+")


def message_deltas(content: Content, run: Run) -> Iterator[Object]:
    """The content parts of a `Message.content`, piece by piece, each with its index."""
    for index, part in enumerate(_parts(content, run)):
        if isinstance(part, Text):
            yield from _text(index, part, run)
        elif isinstance(part, Refusal):
            for piece in TOKEN.findall(part.refusal):
                yield {"index": index, "type": "refusal", "refusal": piece}
        else:
            kind = "image_file" if isinstance(part, ImageFile) else "image_url"
            yield {"index": index, "type": kind, kind: asdict(part)}


def grow(content: list[Object], delta: Object) -> None:
    """Add one delta to a message's content."""
    index, kind = delta["index"], delta["type"]
    piece = delta[kind]
    if index == len(content):
        content.append({"type": kind, kind: dict(piece) if isinstance(piece, dict) else piece})
    elif kind == "refusal":
        content[index][kind] += piece
    else:
        text = content[index][kind]
        text["value"] += piece["value"]
        text["annotations"] = [*text["annotations"], *map(_final, piece.get("annotations", ()))]


def call_deltas(index: int, call: Object) -> Iterator[Object]:
    """A tool call, its head first (recorded), then arguments or code in pieces, then each output."""
    kind = call["type"]
    head: Object = {"index": index, "id": call["id"], "type": kind}
    if kind == "file_search":
        yield {**head, kind: {**call[kind], "results": []}}
    elif kind == "retrieval":
        yield {**head, kind: {}}
    elif kind == "function":
        yield {**head, kind: {"name": call[kind]["name"], "arguments": "", "output": None}}
        for piece in TOKEN.findall(call[kind]["arguments"]):
            yield {"index": index, "type": kind, kind: {"arguments": piece}}
    else:
        yield {**head, kind: {"input": "", "outputs": []}}
        for piece in TOKEN.findall(call[kind]["input"]):
            yield {"index": index, "type": kind, kind: {"input": piece}}
        for place, output in enumerate(call[kind]["outputs"]):
            yield {"index": index, "type": kind, kind: {"outputs": [{"index": place, **output}]}}


def _parts(content: Content, run: Run) -> tuple[Part, ...]:
    if isinstance(content, tuple):
        return content
    turn = run.turn()
    answer = content if isinstance(content, str) else (content or reply)(turn)
    cited = tuple(FileCitation(text=f"【4:0†{one['file_name']}】") for one in turn.searched[:1])
    return (Text(answer, cited),)


def _text(index: int, part: Text, run: Run) -> Iterator[Object]:
    """Pieces of the value, then each annotation's marker with the annotation."""
    place = len(part.value)
    extra: Object = {"annotations": []}  # on the first piece only (recorded)
    for piece in TOKEN.findall(part.value) or [""]:
        yield {"index": index, "type": "text", "text": {"value": piece, **extra}}
        extra = {}
    for number, annotation in enumerate(part.annotations):
        marked = _annotation(annotation, place, run)
        place += len(annotation.text)
        yield {
            "index": index,
            "type": "text",
            "text": {"value": annotation.text, "annotations": [{"index": number, **marked}]},
        }


def _annotation(annotation: FileCitation | FilePath, start: int, run: Run) -> Object:
    kind = "file_citation" if isinstance(annotation, FileCitation) else "file_path"
    file_id = annotation.file_id or next((one["file_id"] for one in run.searched), "file-none")
    return {
        "type": kind,
        "text": annotation.text,
        "start_index": start,
        "end_index": start + len(annotation.text),
        kind: {"file_id": file_id},
    }


def _final(annotation: Object) -> Object:
    return {name: value for name, value in annotation.items() if name != "index"}
