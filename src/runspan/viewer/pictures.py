"""Pictures inside messages: where each sender's part holds one, and which of them a page may show.

A picture that came with the trace is a data URL, and shows. One on a server stays an address until somebody opens it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from runspan.viewer.messages import show

TYPES = frozenset({"image", "image_url", "image_file", "input_image", "output_image"})
OTHERS = frozenset({"text", "tool_call", "tool_call_response"})  # by far the most
MIME = ("mime_type", "media_type", "mimeType", "mediaType")
# where the address or the base64 text stands in a part, by sender
PLACES: tuple[tuple[str, ...], ...] = (
    ("uri",), ("url",), ("image_url", "url"), ("image_url",), ("image", "url"), ("image", "image", "url"), ("image",),
    ("source", "url"), ("source", "data"), ("inline_data", "data"), ("content",), ("data",),
)  # fmt: skip
FILES: tuple[tuple[str, ...], ...] = (("file_id",), ("image_file", "file_id"), ("image", "file_id"))
# Never SVG, which is a document.
DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif|bmp);base64,[A-Za-z0-9+/]+={0,2}")
MAX_DATA = 6_000_000  # characters of a data URL that a page shows


def picture(part: Mapping[str, Any]) -> tuple[str, str] | None:
    """(what it is, its address: a data URL, http(s), or empty) of a part that holds a picture; None for others."""
    kind = show(part.get("type", ""))
    if kind in OTHERS:
        return None
    inner = [part, *(part[key] for key in ("source", "inline_data") if isinstance(part.get(key), dict))]
    mime = next((show(of[key]) for of in inner for key in MIME if of.get(key)), "")
    if kind not in TYPES and part.get("modality") != "image" and not mime.startswith("image/"):
        return None
    value = _first(part, PLACES)
    if mime and value and ":" not in value[:12]:
        value = f"data:{mime};base64,{''.join(value.split())}"
    file, size = _first(part, FILES), part.get("size")
    if value.startswith("data:"):
        mime = mime or value[5:60].partition(";")[0]
        size = size or len(value.partition(",")[2]) * 3 // 4
    about = [mime, file, host(value), f"{size:,} bytes" if isinstance(size, int) else ""]
    label = " ".join(filter(None, about)) or value[:200]
    return label, value if host(value) or is_shown(value) else ""


def is_shown(address: str) -> bool:
    """Whether a page may show it without asking any server."""
    return len(address) <= MAX_DATA and DATA.fullmatch(address) is not None


def host(address: str) -> str:
    """The server that an http(s) address names; empty for other addresses."""
    try:
        parts = urlsplit(address if address.startswith(("http://", "https://")) else "")
        return parts.hostname or ""
    except ValueError:
        return ""


def _first(part: Mapping[str, Any], places: tuple[tuple[str, ...], ...]) -> str:
    for place in places:
        value: Any = part
        for key in place:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value:
            return value
    return ""
