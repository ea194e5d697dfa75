"""Keys in error texts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runspan.core.redact import Texts
from runspan.core.secrets import MASKED, MAX_KNOWN, Secrets


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Incorrect API key provided: abcdefgh1.", f"Incorrect API key provided: {MASKED}."),
        ("abcdefgh1 and abcdefgh123", f"{MASKED} and {MASKED}"),
        ("8 signs: zyxwvuts", f"8 signs: {MASKED}"),
        ("one inside another: abc-zyxwvuts-abc", f"one inside another: {MASKED}"),
        ("no route to http://me:pass@host/v1", f"no route to http://{MASKED}@host/v1"),
        ("sent Authorization: Bearer abc.def-123", f"sent Authorization: Bearer {MASKED}"),
        ("key sk-proj-0123456789abcdef is revoked", f"key {MASKED} is revoked"),
        (
            "GET http://host/v1/threads?api-version=1&api-key=a1&x=2",
            f"GET http://host/v1/threads?api-version=1&api-key={MASKED}&x=2",
        ),
        ("blob https://h/c?sv=1&sig=ab%2Bc%3D#top", f"blob https://h/c?sv=1&sig={MASKED}#top"),
        (
            "proxy says {'Authorization': 'Basic dXNlcjpwYXNz'}",
            f"proxy says {{'Authorization': 'Basic {MASKED}'}}",
        ),
        ("Basic authentication is required", None),
        ("sent api-key: 0123456789abcdef", f"sent api-key: {MASKED}"),
        ("none of these is a key: dummy, sk-none, user@host, http://host/a@b", None),
    ],
)
def test_known_keys_and_what_looks_like_one(text: str, masked: str | None) -> None:
    secrets = Secrets()
    secrets.add(["abcdefgh1", "abcdefgh123", "zyxwvuts", "abc-zyxwvuts-abc", "none", "dummy", None, 5])
    assert secrets.mask(text) == (text if masked is None else masked)


def test_a_key_with_a_line_end_is_known_without_it() -> None:
    secrets = Secrets()
    secrets.add(["abcdefgh1\n", " \n"])
    assert secrets.mask("b'abcdefgh1\\n' is no header") == f"b'{MASKED}\\n' is no header"


def test_only_so_many_are_known_and_the_newest_are_among_them() -> None:
    """A token that is replaced every hour is masked on the hundredth day, too."""
    secrets = Secrets()
    secrets.add(f"key-number-{i}" for i in range(1_000, 5_000))
    assert len(secrets._known) == MAX_KNOWN
    assert secrets.mask("key-number-4999") == MASKED
    assert secrets.mask("key-number-1000") == "key-number-1000"


def test_two_threads_may_let_the_same_key_go() -> None:
    class Raced(dict[str, None]):
        def __iter__(self) -> Iterator[str]:
            names = [*super().__iter__()]
            self.pop(names[0])  # by the other one, as soon as it was looked up
            return iter(names)

    secrets = Secrets()
    secrets._known = Raced.fromkeys(f"key-number-{i}" for i in range(MAX_KNOWN))
    secrets.add(["key-number-new"])
    assert len(secrets._known) == MAX_KNOWN


def test_errors_are_masked_before_the_redactor_sees_them_and_other_texts_are_left_alone() -> None:
    heard: list[str] = []

    def redact(kind: str, text: str) -> str:
        heard.append(text)
        return text

    texts = Texts(redact=redact)
    texts.secrets.add(["abcdefgh1"])
    assert texts.keep("error", "bad abcdefgh1") == f"bad {MASKED}"
    assert texts.keep("input", "my abcdefgh1") == "my abcdefgh1"
    assert heard == [f"bad {MASKED}", "my abcdefgh1"]
