"""Text that may stand on a page: what acts or hides in it is made visible. Escaping HTML is the templates' job.

Line ends and tabs stay. Control characters (ANSI codes) become pictures, as in the terminal; characters that
reorder or hide text (bidi overrides, tags) become their code points; the marks and joiners that scripts need stay.
"""

from __future__ import annotations

import re

# The rest of the format characters: soft hyphen, joiners, LRM, RLM, ALM. Elements isolate direction, so these are harmless.
HARMLESS = "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2060"
ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2061-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
MAX_SHOWN = 100_000  # characters of one text; the rest is in the raw file
MAX_MARKS = re.compile(
    r"([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{4})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)


def visible(text: str) -> str:
    """The text without anything that acts, at most `MAX_SHOWN` characters of it."""
    if len(text) > MAX_SHOWN:
        text = (
            f"{text[:MAX_SHOWN]}\n… {len(text) - MAX_SHOWN:,} characters more; download the trace to see them"
        )
    if text.isascii() and text.isprintable():
        return text
    text = ACTING.sub(_picture, text.replace("\r\n", "\n"))
    return text if text.isascii() else MAX_MARKS.sub(r"\1", text)


def _picture(match: re.Match[str]) -> str:
    character = match.group()
    if character < " ":
        return chr(0x2400 + ord(character))
    if character == "\x7f":
        return "\u2421"
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"
    return f"‹U+{ord(character):04X}›"
