"""The recorded Responses traffic, where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fake.conftest import SHARED

RECORDINGS = Path(os.environ.get("RUNSPAN_RESPONSES_RECORDINGS", SHARED / "recordings-responses"))


@pytest.fixture(scope="session")
def recordings() -> Path:
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS} (RUNSPAN_RESPONSES_RECORDINGS)")
    return RECORDINGS
