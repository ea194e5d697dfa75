"""Text that may be printed: nothing in it can steer the terminal, and its width in cells is known.

Received text is hostile until shown otherwise: it may hold escape sequences, line ends, bidi overrides and
stacks of combining marks. `neutral` makes all of these visible or harmless, `fit` cuts by cells, `isolate`
keeps right-to-left text from reordering what stands beside it (Unicode Annex 9, isolates).
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator

ELLIPSIS = "…"
REPLACEMENT = "\ufffd"
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
DOTTED_CIRCLE = "\u25cc"  # Unicode's own carrier for a mark that has no letter
JOINERS = "\u200c\u200d"  # needed by Persian, by Indic scripts and by emoji, and harmless
EMOJI_STYLE = "\ufe0f"  # has the symbol before it drawn as an emoji, which is wide
SKIN_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
MAX_MARKS = 4  # on one letter; no living script needs more, "zalgo" text has dozens
RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, format characters, lone surrogates, separators
MARKS = frozenset({"Mn", "Me"})
WIDE = frozenset({"W", "F"})

# For output that can not take Unicode: what we draw with, each one cell for one cell.
ASCII = str.maketrans("├─└│┤…·→✗━┅⋯µ±≥–", "|-`||.|>x=:.u~>-")


def cell_len(text: str) -> int:
    """Cells that a terminal gives the text, by East Asian width (Unicode Annex 11); an emoji made of several is one."""
    if text.isascii():
        return len(text)
    total = last = 0
    is_joined = False
    for character in text:
        if character == EMOJI_STYLE:
            size = 1 if last == 1 else 0  # ❤ becomes ❤️
        elif last == 2 and (is_joined or character in SKIN_TONES):
            size = 0
        else:
            size = _cells(character)
        is_joined = character == "\u200d"
        total += size
        last = last + size if character == EMOJI_STYLE else size or last
    return total


def one_line(text: str, cells: int) -> str:
    """Text with each run of white space as one blank, and no longer than what `cells` can show."""
    # A cut long before the exact one keeps megabyte texts cheap: four characters a cell leave room for marks.
    return " ".join(text[: 16 * cells + 1024].split())[: 4 * cells + 64]


def neutral(text: str) -> str:
    """Text without anything that acts: controls as pictures (ESC is ␛), others as a mark."""
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in MARKS:
            marks += 1
            if marks == 1 and not shown:
                shown.append(DOTTED_CIRCLE)
            if marks > MAX_MARKS:
                continue
        elif category in UNSAFE and character not in JOINERS:
            character, marks = _picture(character), 0
        else:
            marks = 0
        shown.append(character)
    return "".join(shown)


def _picture(character: str) -> str:
    if character < " ":
        return chr(0x2400 + ord(character))
    return "\u2421" if character == "\x7f" else REPLACEMENT


def fit(text: str, cells: int) -> str:
    """Text in at most `cells` cells; when cut it ends in an ellipsis and no letter loses its marks."""
    if cell_len(text) <= cells:
        return text
    if cells < 1:
        return ""
    end = bisect_right(range(len(text) + 1), cells - 1, key=lambda length: cell_len(text[:length])) - 1
    while end and (_continues(text[end]) or text[end - 1] in JOINERS):
        end -= 1
    return text[:end].rstrip() + ELLIPSIS


def wrapped(text: str, cells: int) -> Iterator[str]:
    """The text in lines of at most `cells`, broken at blanks, and inside words that are longer than a line."""
    line, used = "", 0
    for word in text.split():
        size = cell_len(word)
        if line and used + 1 + size <= cells:
            line, used = f"{line} {word}", used + 1 + size
            continue
        if line:
            yield line
        *full, line = _pieces(word, cells)
        yield from full
        used = cell_len(line)
    yield line


def isolate(text: str) -> str:
    """Text whose right-to-left letters can not move their neighbours on the line."""
    if text.isascii() or not any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT for character in text):
        return text
    return f"{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}"


def encodable(text: str, encoding: str) -> str:
    """Text that `encoding` can carry: our lines in ASCII, other characters as escapes. UTF takes all."""
    if encoding.lower().startswith("utf"):
        return text
    return text.translate(ASCII).encode(encoding, "backslashreplace").decode(encoding)


def _pieces(word: str, cells: int) -> list[str]:
    parts, used = [""], 0
    for character in word:
        size = cell_len(character)
        if used + size > cells:
            parts.append("")
            used = 0
        parts[-1] += character
        used += size
    return parts


def _continues(character: str) -> bool:
    # Variation selectors such as U+FE0F are marks; skin tones are not.
    return unicodedata.category(character) in MARKS or character in JOINERS or character in SKIN_TONES


def _cells(character: str) -> int:
    if unicodedata.category(character) in MARKS or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in WIDE else 1
