"""What happens to every text before it may leave the process: kept or not, redacted, cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .secrets import Secrets

Redact = Callable[[str, str], str]  # (kind, text) -> text

CUT = "…"


@dataclass(frozen=True, slots=True)
class Texts:
    """The owner's wishes about content.

    `redact(kind, text)` gets each text once; kind is one of `instructions`, `input`, `output`, `tool.arguments`,
    `tool.result`, `tool.definitions`, `description`, `metadata`, `comment`, `error`; and, of what is kept with content off, too,
    `name`, `session`, `user`, `tag`, `label`, `attribute`. A text whose redaction raises is dropped: `on_error` hears of it.
    """

    captures: bool = True
    redact: Redact | None = None
    max_chars: int = 16_384
    on_error: Callable[[Exception], None] | None = None
    secrets: Secrets = field(default_factory=Secrets, compare=False)  # masked in every `error`

    def keep(self, kind: str, text: str | None) -> str | None:
        """The text as it may go out, cut to `max_chars` characters with a visible mark; None when nothing may."""
        whole = self.redacted(kind, text)
        return whole if whole is None else cut(whole, self.max_chars)

    def redacted(self, kind: str, text: str | None) -> str | None:
        """The text as it may go out, whole."""
        if text is None or not self.captures:
            return None
        if kind == "error":
            text = self.secrets.mask(text)
        return self.word(kind, text)

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


def clean(text: str) -> str:
    """Lone surrogates have no UTF-8 form and would make the exporter drop the whole batch."""
    return text if str.isascii(text) else text.encode("utf-8", "replace").decode("utf-8")


def cut(text: str, max_chars: int) -> str:
    """At most `max_chars` characters, the last of which shows that something was cut."""
    return text if len(text) <= max_chars else text[: max(max_chars - 1, 0)] + CUT
