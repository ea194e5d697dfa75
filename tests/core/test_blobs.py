"""Base64 and data URLs become hash, type and size; everything else stays as it is."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import textwrap

import pytest

from runspan.core import blobs
from runspan.core.blobs import Blob, of_data_url, replaced
from runspan.core.redact import Texts
from tests.support.examples import seeds

PNG = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(1_000)
BASE64 = base64.b64encode(PNG).decode()
SHA = hashlib.sha256(PNG).hexdigest()
TOLD = f"[image/png, {len(PNG)} bytes, sha256 {SHA}]"
WRAPPED = "\n".join(textwrap.wrap(BASE64, 76))

DATA = {
    "data URL": f"data:image/png;base64,{BASE64}",
    "data URL with parameters": f"data:image/png;name=a.png;base64,{BASE64}",
    "data URL, percent-encoded": "data:image/png;base64," + BASE64.replace("+", "%2B").replace("/", "%2F"),
    "base64": BASE64,
    "base64 for URLs": base64.urlsafe_b64encode(PNG).decode(),
    "base64 without padding": BASE64.rstrip("="),
    "base64 in lines": WRAPPED,
    "base64 in lines of Windows": WRAPPED.replace("\n", "\r\n"),
    "base64 in lines, in JSON": json.dumps(WRAPPED)[1:-1],
    "base64 in lines of Windows, in JSON": json.dumps(WRAPPED.replace("\n", "\r\n"))[1:-1],
    "base64 in JSON of PHP": BASE64.replace("/", "\\/"),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("around", ["{}", "see {} there", '{{"image":"{}","n":1}}', "a {} b {} c"])
def test_data_becomes_hash_type_and_size(around: str, name: str) -> None:
    assert replaced(around.replace("{{", "{").replace("}}", "}").replace("{}", DATA[name])) == around.replace(
        "{{", "{"
    ).replace("}}", "}").replace("{}", TOLD)


def test_a_short_data_url_is_data_too() -> None:
    gif = base64.b64encode(b"GIF89a").decode()
    sha = hashlib.sha256(b"GIF89a").hexdigest()
    assert replaced(f"<img src='data:;base64,{gif}'>") == f"<img src='[image/gif, 6 bytes, sha256 {sha}]'>"


def test_a_data_url_that_is_no_base64() -> None:
    url = "data:image/svg+xml,%3Csvg%20" + "a" * 300
    sha = hashlib.sha256(b"<svg " + b"a" * 300).hexdigest()
    assert of_data_url(url) == Blob("image/svg+xml", 305, sha)
    assert replaced(url) == f"[image/svg+xml, 305 bytes, sha256 {sha}]"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("data:;base64,R0lGODlh", ("image/gif", b"GIF89a")),
        ("data:;base64,R0lGODlX==========", ("image/gif", b"GIF89W")),  # padded though it needs no padding
        ("data:;base64,iVBORw", ("image/png", b"\x89PNG")),  # not padded though it should be
        ("data:;base64,/9j/", ("image/jpeg", b"\xff\xd8\xff")),
        ("data:;base64,_9j_", ("image/jpeg", b"\xff\xd8\xff")),
        ("data:;base64,UklGRg==", ("image/webp", b"RIFF")),
        ("data:;base64,JVBERg==", ("application/pdf", b"%PDF")),
        ("data:;base64,UEsDBA==", ("application/zip", b"PK\x03\x04")),
        ("data:;base64,AAAA", ("application/octet-stream", bytes(3))),
        ("data:text/plain;base64,AAAA", ("text/plain", bytes(3))),
        ("data:text/plain,AAAA", ("text/plain", b"AAAA")),
        # No base64, whatever it says:
        ("data:a/b;base64,iVBO~:~RwAA", ("a/b", b"iVBO~:~RwAA")),
        ("data:a/b;base64,%FF%FE", ("a/b", b"\xff\xfe")),
        ("data:a/b;base64,AAAAA", ("a/b", b"AAAAA")),
    ],
)
def test_what_a_data_url_holds(url: str, told: tuple[str, bytes]) -> None:
    mime_type, data = told
    assert of_data_url(url) == Blob(mime_type, len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(("size", "is_told"), [(blobs.MIN_CHARS - 1, False), (blobs.MIN_CHARS, True)])
def test_a_data_url_in_plain_text_is_told_from_a_size_on(size: int, is_told: bool) -> None:
    url = "data:text/plain," + "a" * size
    assert (replaced(url) != url) is is_told


RUN = BASE64[: blobs.MIN_CHARS]


@pytest.mark.parametrize(
    ("run", "is_told"),
    [
        (RUN, True),
        (RUN[:-1], False),
        (RUN[:-1] + "=", False),  # what fills up is no part of it
        ("a" * 90 + "B" * 90 + "/" * 19 + "1", True),
        ("a" * 90 + "B" * 89 + "/" * 20 + "1", False),  # as many as a path has
        ("aX" * 200, False),  # no digit
        (BASE64[: blobs.MIN_CHARS + 1], False),  # no base64 has this length
    ],
)
def test_what_looks_like_base64(run: str, is_told: bool) -> None:
    assert (replaced(run) != run) is is_told


@pytest.mark.parametrize("before", range(0, blobs.MIN_CHARS + 1, 10))
@pytest.mark.parametrize("shift", [0, 1, 9])
def test_the_shortest_run_is_found_wherever_it_lies(before: int, shift: int) -> None:
    around = " " * (before + shift)
    sha = hashlib.sha256(base64.b64decode(RUN)).hexdigest()
    assert replaced(around + RUN) == f"{around}[image/png, 150 bytes, sha256 {sha}]"


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("word " * 100, False),
        ('{"a":1},' * 50, False),
        ("今天" * 100, False),
        ("word " * 20, False),
        ("word " * 20 + "x", False),
        ("word " * 20 + "x" * 99, False),
        (" " + "x" * 100 + " ", False),  # long, but not so long that it matters
        ("", False),
        ("word " * 20 + "x" * 100, True),
    ],
)
def test_most_texts_are_not_searched_at_all(text: str, may: bool) -> None:
    assert blobs._may_hold_a_run(text) is may


ORDINARY = {
    "empty": "",
    "a word and a comma": "the data:, and data:text/plain,short; data:," + "x" * 300,
    "prose": "The quick brown fox jumps over the lazy dog. " * 50,
    "one letter": "x" * 5_000,
    "a word and a colon": "my data: 5, your data: 6, data:text",
    "hex": hashlib.sha512(b"x").hexdigest() * 4,
    "upper case": "ACGT" * 500,
    "a path": "/" + "/".join(f"Folder{i}" for i in range(80)),
    "an identifier": "_".join(f"Name{i}" for i in range(80)),
    "no spaces, another script": "今天天气很好" * 100,
    "code": "def f(x):\n    return x * 2\n" * 40,
    "compact JSON": json.dumps([{"name": f"Name{i}", "n": i} for i in range(100)], separators=(",", ":")),
    "short base64": BASE64[:100],
    "a UUID list": ",".join(["2f1d3c4b-5a69-4788-90ab-cdef01234567"] * 40),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_texts_stay(name: str) -> None:
    assert replaced(ORDINARY[name]) == ORDINARY[name]


@pytest.mark.parametrize("url", ["https://a.b/c.png", "", "file:///etc", "metadata:5"])
def test_other_urls_are_no_data(url: str) -> None:
    assert of_data_url(url) is None


@seeds(60)
def test_wherever_it_lies_a_long_run_is_found(seed: int) -> None:
    chance = random.Random(seed)
    data = chance.randbytes(chance.randrange(160, 2_000))
    before, after = ("word " * chance.randrange(80) for _ in range(2))
    found = replaced(before + base64.b64encode(data).decode() + " " + after)
    assert hashlib.sha256(data).hexdigest() in found
    assert len(found) < len(before) + len(after) + 200


def test_hostile_texts_take_no_time() -> None:
    """Quadratic matching would take hours."""
    for text in ("A1b" * 400_000, "A1b\n" * 200_000, "data:" * 200_000, ("aB1" * 30 + "\n") * 10_000 + "!"):
        replaced(text)


def test_every_text_goes_through_it_before_it_is_redacted_and_cut() -> None:
    seen: list[str] = []

    def redact(kind: str, text: str) -> str:
        seen.append(text)
        return text

    assert Texts(redact=redact).keep("input", f"see {BASE64}") == f"see {TOLD}"
    assert seen == [f"see {TOLD}"]
    assert Texts(max_chars=blobs.MIN_CHARS).keep("input", BASE64) == TOLD


def test_a_long_number_is_no_base64() -> None:
    said = f"It is {3**600}."
    assert replaced(said) == said
