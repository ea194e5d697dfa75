"""Parts of messages, in requests and in answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import asdict

from ...core import blobs
from ...core.fields import Wire, items, text, without_nulls
from ...core.jsontext import dumps
from ...core.model import EMPTY, Part

ATTACHMENT = "attachment"
REASONING = "reasoning"
_BYTES = ("data", "file_data", "image_data", "b64_json")  # fields that hold a file itself


def of(content: Any) -> tuple[Part, ...]:
    """A string, or a list of parts."""
    if isinstance(content, str):
        return (Part("text", content),)
    return tuple(map(part, items({"content": content}, "content")))


def part(wire: Wire) -> Part:
    """One part; a type without a row keeps its name and its fields."""
    kind = text(wire, "type") or "unknown"
    read = _PARTS.get(kind)
    return Part(kind, None, _fields(wire)) if read is None else read(wire)


def _text(wire: Wire) -> Part:
    said = wire.get("annotations")
    more = {"annotations": without_nulls(said)} if isinstance(said, list) and said else EMPTY
    return Part("text", text(wire, "text"), more)


def _image(wire: Wire) -> Part:
    """By its URL, by the file that it is, or the image itself, of which its hash, type and size are told."""
    fields = _fields(wire)
    url = fields.pop("image_url", None)
    if isinstance(url, Mapping):  # as the chat API has it
        url = url.get("url")
    if not isinstance(url, str):
        return Part("image_file", None, fields)
    blob = blobs.of_data_url(url)
    return Part("image_url", None, {**fields, **({"url": url} if blob is None else asdict(blob))})


def _fields(wire: Wire) -> dict[str, Any]:
    """All that it says but its type; bytes by what they are."""
    fields: dict[str, Any] = without_nulls({k: v for k, v in wire.items() if k != "type"})
    for name in _BYTES:
        data = fields.get(name)
        if isinstance(data, str):
            del fields[name]
            fields |= asdict(blobs.of_data_url(data) or blobs.of_base64(data))
    inner = wire.get("input_audio")
    if isinstance(inner, dict):
        fields["input_audio"] = _fields(inner)
    return fields


_PARTS: Mapping[str, Callable[[Wire], Part]] = {
    **dict.fromkeys(("input_text", "output_text", "text", "summary_text", "reasoning_text"), _text),
    "refusal": lambda wire: Part("refusal", text(wire, "refusal")),
    "input_image": _image,
    "input_file": lambda wire: Part(ATTACHMENT, None, _fields(wire)),
}


def shown(said: Any) -> Any:
    """A text, or a part as JSON, without the bytes that it holds."""
    if not isinstance(said, dict):
        return said
    of = part(said)
    return {"type": text(said, "type"), **({} if of.text is None else {"text": of.text}), **of.fields}


def variables(wire: Wire) -> tuple[Part, ...]:
    """What the app filled in where a stored prompt leaves room, as JSON."""
    said = {name: shown(value) for name, value in wire.items() if value is not None}
    return (Part("text", dumps(said), {"prompt_variables": True}),) if said else ()


def reasoning(wire: Wire) -> tuple[Part, ...]:
    """What a model said of its reasoning; none of it, where all is encrypted."""
    said = [text(p, "text") for name in ("summary", "content") for p in items(wire, name)]
    whole = "\n\n".join(filter(None, said))
    return (Part(REASONING, whole),) if whole else ()


def plain(content: Any) -> str:
    """The texts of a string or of a list of parts; of other parts what they are."""
    return "\n".join(p.text if p.text is not None else f"[{p.type}]" for p in of(content))
