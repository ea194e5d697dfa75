"""Binary data in texts. What stands for it in a trace is its hash, type and size: nobody reads base64, and it may be anything."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from urllib.parse import unquote_to_bytes

from msgspec import Struct

MIN_CHARS = 200  # shorter runs of letters and digits are keys, hashes and ids
CUT_BLOB = ", cut]"  # ends what stands for data whose end is not known
_STEP = MIN_CHARS // 2  # so one whole step lies inside every run that is long enough

_DATA_URL = re.compile(
    r"data:([\w.+-]+/[\w.+-]+)?(?:;(?!base64,)[\w.+=-]+)*(;base64)?,"
    r"([\w+/=%.~:@&$-]*(?:\\/[\w+/=%.~:@&$-]*)*)",
    re.ASCII,
)
# The backslash is for what JSON makes of slashes and line ends. A run may have lines, as MIME has them, the last of them shorter.
_RUN = re.compile(
    r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_\\-]{60,}(?:\r?\n[A-Za-z0-9+/_\\-]{60,})*"
    r"(?:={1,2}|\r?\n(?:[A-Za-z0-9+/_-]{1,75}={1,2}|[A-Za-z0-9+/_-]{20,75}(?![^\s\"'])))?"
)
_SAFE = str.maketrans("-_", "+/")

# How files of a type begin.
_TYPES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
    (b"%PDF", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
)


class Blob(Struct, frozen=True, gc=False):
    """What is told of some bytes."""

    mime_type: str
    size_bytes: int
    sha256: str

    def __str__(self) -> str:
        return f"[{self.mime_type}, {self.size_bytes} bytes, sha256 {self.sha256}]"


def of_data_url(url: str) -> Blob | None:
    """Of `data:image/png;base64,...`; None: it is another URL."""
    found = _DATA_URL.match(url)
    return None if found is None else _of_match(found)


def of_base64(text: str, mime_type: str | None = None) -> Blob:
    """Of a text that is nothing but base64, however short; of one that is not, its own bytes."""
    data = _decoded(text)
    return _blob(text.encode("utf-8", "replace") if data is None else data, mime_type)


def replaced(text: str, *, is_cut: bool = False) -> str:
    """`text` with each data URL and each long run of base64 told as what it is; where `text` is cut, its last one is marked so."""

    def told(found: re.Match[str], blob: Blob | None) -> str:
        if blob is None:
            return found[0]
        return f"[{blob.mime_type}{CUT_BLOB}" if is_cut and found.end() == len(found.string) else str(blob)

    if "data:" in text:
        text = _DATA_URL.sub(lambda found: told(found, _of_match(found) if _is_data(found) else None), text)
    return _RUN.sub(lambda found: told(found, _of_run(found[0])), text) if _may_hold_a_run(text) else text


def _may_hold_a_run(text: str) -> bool:
    """Cheap, and false for nearly all texts: prose has a space, JSON a quote, in every hundred characters."""
    for start in range(0, len(text) - _STEP + 1, _STEP):
        step = text[start : start + _STEP]
        if " " not in step and '"' not in step and step.isascii():
            return True
    return False


def _is_data(found: re.Match[str]) -> bool:
    """`data:` is also a word, and a short picture is no reason to lose its text."""
    mime_type, is_base64, payload = found.groups()
    return is_base64 is not None or (mime_type is not None and len(payload) >= MIN_CHARS)


def _of_match(found: re.Match[str]) -> Blob:
    mime_type, is_base64, payload = found.groups()
    data = _decoded(payload) if is_base64 else None
    return _blob(unquote_to_bytes(payload) if data is None else data, mime_type)


def _of_run(run: str) -> Blob | None:
    body = _joined(run)
    if len(body) < MIN_CHARS or not _looks_like_base64(body):
        return None
    data = _decoded(body)
    return None if data is None else _blob(data)


def _looks_like_base64(body: str) -> bool:
    """Letters of both cases and digits, and not so many slashes or dashes as paths and identifiers have."""
    marks = sum(map(body.count, "/-_+"))
    return (
        marks < len(body) / 10
        and body not in (body.upper(), body.lower())  # as a long number is
        and any(digit in body for digit in "0123456789")
    )


def _decoded(payload: str) -> bytes | None:
    whole = unquote_to_bytes(payload).decode("ascii", "replace") if "%" in payload else payload
    body = _joined(whole).translate(_SAFE)
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _joined(run: str) -> str:
    """Without line ends, padding, and what JSON makes of slashes and line ends."""
    for escaped, plain in (("\\r", ""), ("\\n", ""), ("\\/", "/")):
        run = run.replace(escaped, plain)
    return "".join(run.split()).rstrip("=")


def _blob(data: bytes, mime_type: str | None = None) -> Blob:
    known = next((kind for start, kind in _TYPES if data.startswith(start)), "application/octet-stream")
    return Blob(mime_type or known, len(data), hashlib.sha256(data).hexdigest())
