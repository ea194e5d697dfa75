"""The switch and the redactor hold for the attributes of every preset, too."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.conventions import EXTRAS
from tests.privacy.exported import exported
from tests.privacy.marks import NAMES, SECRETS, redacted, seen_in


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    return lambda **options: exported("OpenAI", monkeypatch, capfd, **options)


@pytest.mark.parametrize("backend", EXTRAS)
def test_with_content_off_no_text_is_in_any_exported_byte(backend: str, play: Any) -> None:
    assert seen_in(play(backend=backend, capture_content=False).everything) == set(NAMES)


@pytest.mark.parametrize("backend", EXTRAS)
def test_with_a_redactor_every_text_goes_out_in_its_redacted_form_only(backend: str, play: Any) -> None:
    assert seen_in(play(backend=backend, redact=redacted).everything) == set()


@pytest.mark.parametrize("backend", EXTRAS)
def test_with_content_on_no_secret_is_there(backend: str, play: Any) -> None:
    assert not seen_in(play(backend=backend).everything) & set(SECRETS)
