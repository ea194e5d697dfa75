"""What was said in one model call: messages as roles and parts, whichever convention carried them.

Read are the GenAI conventions' JSON messages, OpenInference's `llm.input_messages.N...` and OpenLLMetry's
`gen_ai.prompt.N...`; the first that says something wins. What can not be read is shown as it is, never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from runspan.viewer.messages import parse, show
from runspan.viewer.pictures import picture
from runspan.viewer.spans import Attributes

CITED = ("quote", "title", "filename", "url", "file_id")  # what a citation tells of its source
MAX_MESSAGES = 2_000  # of one attribute; what comes later is not read


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message. `kind`: text, refusal, reasoning, tool_call, tool_result, image, file, other."""

    kind: str
    text: str
    name: str = ""  # of the tool, or of the kind where it is "other"
    id: str = ""  # of the tool call
    notes: tuple[str, ...] = ()  # citations
    source: str = ""  # of an image: a data URL or an http(s) address


@dataclass(frozen=True, slots=True)
class Said:
    """One message."""

    role: str
    parts: tuple[Part, ...]
    is_cut: bool = False  # it was never finished

    @property
    def text(self) -> str:
        """The words alone, without tool calls and files."""
        return "\n".join(part.text for part in self.parts if part.kind in ("text", "refusal") and part.text)


Saids = tuple[Said, ...]


def instructions(attributes: Attributes) -> str:
    """The system's text; empty when there is none."""
    data = parse(attributes.get("gen_ai.system_instructions"))
    if data is None:
        return ""
    parts = _parts(data) if isinstance(data, list) else (Part("text", show(data)),)
    return "\n\n".join(part.text for part in parts if part.text)


def given(attributes: Attributes) -> Saids:
    """The messages that went in, in order."""
    return _first(attributes, "gen_ai.input.messages", "llm.input_messages.", "gen_ai.prompt.")


def answered(attributes: Attributes) -> Saids:
    """The messages that came out."""
    return _first(attributes, "gen_ai.output.messages", "llm.output_messages.", "gen_ai.completion.")


def new(inputs: Saids) -> Saids:
    """What was said since the model last spoke; all of it when it never has."""
    last = max((at for at, said in enumerate(inputs) if said.role in ("assistant", "model")), default=-1)
    return inputs[last + 1 :]


def last_text(saids: Iterable[Said], role: str = "") -> str:
    """The text of the last message (of that role) that has any."""
    texts = [said.text for said in saids if said.text and role in ("", said.role)]
    return texts[-1] if texts else ""


def last_deed(saids: Saids) -> str:
    """What the last messages do where they say nothing: the tools that they call, or the results that they bring."""
    turn = takewhile(lambda said: said.role == saids[-1].role, reversed(saids))
    parts = [part for said in reversed(list(turn)) for part in said.parts]
    called = [f"{part.name}({part.text})" for part in parts if part.kind == "tool_call"]
    brought = [part.text for part in parts if part.kind == "tool_result"]
    if called:
        return f"calls {', '.join(called)}"
    return f"tool result: {', '.join(brought)}" if any(brought) else ""


def _first(attributes: Attributes, standard: str, *prefixes: str) -> Saids:
    data = parse(attributes.get(standard))
    if data is not None:
        items = data if isinstance(data, list) else [data]
        return tuple(map(_said, items[:MAX_MESSAGES]))
    for prefix in prefixes:
        if found := tuple(_flattened(attributes, prefix)):
            return found
    return ()


def _said(message: Any) -> Said:
    if not isinstance(message, dict):
        return Said("?", (Part("text", show(message)),))
    role = show(message.get("role", "?"))
    content = message.get("parts", message.get("content", ""))
    if role == "tool" and "parts" not in message and not isinstance(content, list):
        return Said(role, (Part("tool_result", show(content), id=show(message.get("tool_call_id") or "")),))
    parts = _parts(content) if isinstance(content, list) else (Part("text", show(content)),)
    calls = message.get("tool_calls")
    if isinstance(calls, list):  # as the chat completions API writes them
        parts = (*(part for part in parts if part.text not in ("", "null")), *map(_chat_call, calls))
    return Said(role, parts, message.get("incomplete") is True)


def _parts(data: Iterable[Any]) -> tuple[Part, ...]:
    return tuple(map(_part, data))


def _part(part: Any) -> Part:
    if not isinstance(part, dict):
        return Part("text", show(part))
    if found := picture(part):
        return Part("image", found[0], "image", source=found[1])
    kind = show(part.get("type", "other"))
    return READERS.get(kind, _other)(part)


def _text(part: Mapping[str, Any]) -> Part:
    text = show(part.get("content", part.get("text", "")))
    notes = part.get("annotations")
    cited = tuple(map(_citation, notes)) if isinstance(notes, list) else ()
    return Part("refusal" if part.get("refusal") is True else "text", text, notes=cited)


def _citation(note: Any) -> str:
    if not isinstance(note, dict):
        return show(note)
    about = next(
        (note[key] for key in ("file_citation", "file_path") if isinstance(note.get(key), dict)), note
    )
    facts = (note.get("text"), *(about.get(key) for key in CITED))
    return " · ".join(show(fact) for fact in facts if fact) or show(note)


def _call(part: Mapping[str, Any]) -> Part:
    arguments = part.get("arguments", part.get("server_tool_call"))
    name, call_id = show(part.get("name", "?")), show(part.get("id") or "")
    return Part("tool_call", "" if arguments is None else show(arguments), name, call_id)


def _chat_call(call: Any) -> Part:
    about = call.get("function", call) if isinstance(call, dict) else {"name": call}
    return _call(
        {**about, "id": call.get("id")}
        if isinstance(call, dict) and isinstance(about, dict)
        else {"name": call}
    )


def _result(part: Mapping[str, Any]) -> Part:
    result = part.get("response", part.get("result", part.get("server_tool_call_response", "")))
    return Part("tool_result", show(result), id=show(part.get("id") or ""))


def _file(part: Mapping[str, Any]) -> Part:
    facts = (part.get("mime_type"), part.get("file_id"), part.get("uri"), part.get("size"))
    return Part("file", " ".join(show(fact) for fact in facts if fact), show(part.get("modality") or "file"))


def _other(part: Mapping[str, Any]) -> Part:
    text = part.get("content", part.get("text"))
    rest = {key: value for key, value in part.items() if key != "type"}
    return Part("other", show(rest if text is None else text), show(part.get("type", "other")))


READERS: Mapping[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": _text,
    "reasoning": lambda part: Part("reasoning", show(part.get("content", ""))),
    "tool_call": _call,
    "tool_call_response": _result,
    "server_tool_call": _call,
    "server_tool_call_response": _result,
    "blob": _file,  # never the content, which is base64
    "file": _file,
    "uri": _file,
}


def _flattened(attributes: Attributes, prefix: str) -> Iterator[Said]:
    """`prefix` + `N.message.role` (OpenInference) or `N.role` (OpenLLMetry), by number."""
    found: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        if key.startswith(prefix):
            number, _, rest = key[len(prefix) :].partition(".")
            if number.isascii() and number.isdigit() and len(number) < 6:
                found.setdefault(int(number), {})[rest.removeprefix("message.")] = value
    for _, fields in sorted(found.items()):
        parts = [Part("text", show(fields["content"]))] if fields.get("content") else []
        parts += [
            Part("text", show(value))
            for key, value in sorted(fields.items())
            if key.startswith("contents.") and key.endswith(".text")
        ]
        parts += [
            _part({"type": "image", "url": show(value)})
            for key, value in sorted(fields.items())
            if key.startswith("contents.") and key.endswith(".image.url")
        ]
        names = sorted(key for key in fields if key.startswith("tool_calls.") and key.endswith(".name"))
        parts += [
            Part("tool_call", show(fields.get(f"{key.removesuffix('name')}arguments", "")), show(fields[key]))
            for key in names
        ]
        yield Said(show(fields.get("role", "?")), tuple(parts))
