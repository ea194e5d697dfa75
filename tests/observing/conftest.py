"""Each test starts outside of any span, and leaves nothing current behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace

from tests.support.tracing import Traced, traced


@pytest.fixture(autouse=True)
def nothing_stays_current() -> Iterator[None]:
    assert not trace.get_current_span().get_span_context().is_valid
    yield
    assert not trace.get_current_span().get_span_context().is_valid


@pytest.fixture
def traces() -> Iterator[Traced]:
    with traced() as found:
        yield found
