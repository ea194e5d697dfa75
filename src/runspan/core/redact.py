"""What happens to every text before it may leave the process: kept or not, redacted, cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from .blobs import CUT_BLOB, replaced
from .model import Part
from .secrets import Secrets

Redact = Callable[[str, str], str]  # (kind, text) -> text

CUT = "…"
MARGIN = 4_096  # read beyond what goes out, so that a key at the end of it is seen whole and masked
MAX_READ = 65_536  # of one text that an exception brings
_CUT_FIRST = frozenset({"error", "comment"})  # read on the app's threads, and of any length


class Texts(Struct, frozen=True, gc=False):
    """The owner's wishes about content.

    Binary data in texts is told as hash, type and size, first of all. `redact(kind, text)` gets each text once; kind is one of
    `instructions`, `input`, `output`, `tool.arguments`, `tool.result`, `tool.definitions`, `description`, `metadata`, `comment`,
    `error`; and, of what is kept with content off, too, `name`, `session`, `user`, `tag`, `label`, `attribute`. A text whose
    redaction raises is dropped: `on_error` hears of it.
    """

    captures: bool = True
    redact: Redact | None = None
    max_chars: int = 16_384
    on_error: Callable[[Exception], None] | None = None
    secrets: Secrets = field(default_factory=Secrets)  # masked in every `error`

    def keep(self, kind: str, text: str | None) -> str | None:
        """The text as it may go out, cut to `max_chars` characters with a visible mark; None when nothing may."""
        return self.cut(self.redacted(kind, text))

    def cut(self, whole: str | None) -> str | None:
        """A text that was redacted before, cut."""
        return None if whole is None else cut(whole, self.max_chars)

    def redacted(self, kind: str, text: str | None, max_chars: int | None = None) -> str | None:
        """The text as it may go out, whole; of one that is longer than `max_chars` (in `_CUT_FIRST` kinds: than what goes out)
        the rest is never read.
        """
        if text is None or not self.captures:
            return None
        if kind in _CUT_FIRST:
            max_chars = self.max_chars
        if max_chars is not None and len(text) > max_chars + MARGIN:
            return self._redacted_head(kind, text[: max_chars + MARGIN])
        return self.word(kind, self._masked(kind, replaced(text)))

    def _redacted_head(self, kind: str, head: str) -> str | None:
        """What goes out of a text that was cut. A key that the cut goes through is half a key, which nothing masks: it is dropped,
        with its word, or where the text has no words, with as much as a key may hold.
        """
        end = max(map(head.rfind, " \n", (len(head) - MARGIN,) * 2))
        text = self._masked(kind, replaced(head if end < 0 else head[:end], is_cut=True))
        if end < 0 and not text.endswith(CUT_BLOB):
            text = text[: -min(self.secrets.longest, MARGIN)]
        kept = self.word(kind, text)
        return None if kept is None else kept + CUT

    def _masked(self, kind: str, text: str) -> str:
        return self.secrets.mask(text) if kind == "error" else text

    def word(self, kind: str, text: str | None) -> str | None:
        """What things are called, and ids of the app's own: kept with content off, yet redacted."""
        if text is None:
            return None
        if self.redact is not None:
            try:
                return clean(self.redact(kind, text))
            except Exception as error:
                if self.on_error is not None:
                    self.on_error(error)
                return None
        return clean(text)

    def part(self, kind: str, part: Part) -> Part:
        """The part with every text in it as it may go out; one that was cut says how long it was."""
        whole = self.redacted(kind, part.text)
        fields = self.value(kind, part.fields) if part.fields else part.fields
        if whole is not None and len(whole) > self.max_chars:
            fields = {**fields, "original_length": len(whole)}
            whole = cut(whole, self.max_chars)
        # Nearly always: a copy costs more than the look.
        is_same = whole is part.text and fields is part.fields
        return part if is_same else replace(part, text=whole, fields=fields)

    def value(self, kind: str, value: Any, key: str = "") -> Any:
        """A JSON value with every text in it kept; some keys hold the API's own words and ids, which are no texts."""
        if isinstance(value, str):
            is_word = key == "type" or (key in _WORDS and kind != "tool.definitions")
            return value if is_word else self.keep(kind, value)
        if isinstance(value, Mapping):
            return {self._key(kind, k): self.value(kind, v, k) for k, v in value.items()} if value else value
        if isinstance(value, list | tuple):
            return [self.value(kind, v) for v in value]
        return value

    def _key(self, kind: str, key: str) -> str:
        if kind != "tool.definitions" or key in _WIRE_KEYS:
            return key
        return self.keep(kind, key) or CUT


_WORDS = frozenset({"file_id", "detail", "mime_type", "sha256"})  # of content parts

# Keys that the API and JSON Schema define. All others are the app's, such as the names of a function's parameters.
_WIRE_KEYS = frozenset(
    {"type", "function", "name", "description", "parameters", "strict", "properties", "required", "items"}
    | {"enum", "title", "default", "format", "additionalProperties", "anyOf", "$defs", "$ref", "$id"}
)


def clean(text: str) -> str:
    """Lone surrogates have no UTF-8 form and would make the exporter drop the whole batch."""
    return text if str.isascii(text) else text.encode("utf-8", "replace").decode("utf-8")


def cut(text: str, max_chars: int) -> str:
    """At most `max_chars` characters, the last of which shows that something was cut."""
    return text if len(text) <= max_chars else text[: max(max_chars - 1, 0)] + CUT
