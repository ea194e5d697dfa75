"""Pictures in messages: found in every sender's form, and shown without asking any server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runspan.viewer import conversation
from runspan.viewer.pictures import MAX_DATA, is_shown, picture

from .hand_made import ODD_VALUES

BASE64 = "iVBORw0KGgo="
DATA = f"data:image/png;base64,{BASE64}"
WEB = "https://img.example/cat.png"


@pytest.mark.parametrize(
    ("part", "label", "source"),
    [
        ({"type": "blob", "modality": "image", "mime_type": "image/png", "content": BASE64}, "image/png 9 bytes", DATA),
        ({"type": "blob", "modality": "image", "mime_type": "image/png", "size": 1234}, "image/png 1,234 bytes", ""),
        ({"type": "uri", "modality": "image", "uri": WEB}, "img.example", WEB),
        ({"type": "file", "modality": "image", "file_id": "file-1"}, "file-1", ""),
        ({"type": "image_url", "image_url": {"url": DATA}}, "image/png 9 bytes", DATA),
        ({"type": "image_url", "image_url": {"url": WEB, "detail": "low"}}, "img.example", WEB),
        ({"type": "image_file", "image_file": {"file_id": "file-2"}}, "file-2", ""),
        ({"type": "input_image", "image_url": WEB}, "img.example", WEB),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64}}, "image/png 9 bytes", DATA),
        ({"type": "image", "source": {"type": "url", "url": WEB}}, "img.example", WEB),
        ({"type": "image", "image": WEB}, "img.example", WEB),
        ({"type": "image", "image": BASE64, "mediaType": "image/png"}, "image/png 9 bytes", DATA),
        ({"inline_data": {"mime_type": "image/png", "data": BASE64}}, "image/png 9 bytes", DATA),
        ({"type": "image_url", "image_url": {"url": "javascript:alert(1)"}}, "javascript:alert(1)", ""),
        ({"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,PHN2Zz4="}}, "image/svg+xml 6 bytes", ""),
    ],
)  # fmt: skip
def test_a_picture_is_found_in_every_form(part: dict[str, Any], label: str, source: str) -> None:
    assert picture(part) == (label, source)
    (said,) = conversation.given({"gen_ai.input.messages": json.dumps([{"role": "user", "parts": [part]}])})
    assert [(one.kind, one.text, one.source) for one in said.parts] == [("image", label, source)]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "content": DATA},
        {"type": "tool_call", "name": "image"},
        {"type": "file", "file_id": "f"},
        {},
    ],
)
def test_other_parts_are_no_pictures(part: dict[str, Any]) -> None:
    assert picture(part) is None


def test_openinferences_pictures() -> None:
    prefix = "llm.input_messages.0.message."
    (said,) = conversation.given(
        {f"{prefix}role": "user", f"{prefix}contents.0.message_content.image.image.url": DATA}
    )
    assert [(one.kind, one.source) for one in said.parts] == [("image", DATA)]


@pytest.mark.parametrize(
    "address",
    [
        WEB,
        "",
        "data:image/png;base64,",
        f'{DATA}" onload=x',
        f" {DATA}",
        f"{DATA}\n",
        "data:image/png,x",
        "DATA:image/png;base64,aa",
    ],
)
def test_what_is_no_picture_of_ours_is_not_shown(address: str) -> None:
    assert not is_shown(address)


def test_a_picture_without_end_is_not_shown() -> None:
    assert is_shown(DATA)
    assert not is_shown(DATA.removesuffix("=") + "A" * MAX_DATA)


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: repr(value)[:20])
def test_values_of_any_type_are_no_trouble(value: Any) -> None:
    keys = (
        "type",
        "modality",
        "mime_type",
        "uri",
        "url",
        "image_url",
        "image",
        "source",
        "inline_data",
        "content",
        "size",
        "file_id",
    )
    for key in keys:
        picture({"type": "image", key: value})
        picture(dict.fromkeys(keys, value) | {"modality": "image"})
