"""`client.webhooks.unwrap`, wherever a version of the client keeps it."""

from __future__ import annotations

import importlib

import pytest

from tests.support.tracing import traced

webhooks = pytest.importorskip("openai.resources.webhooks", reason="this openai has no webhooks")


@pytest.mark.parametrize("name", ["Webhooks", "AsyncWebhooks"])
def test_each_client_s_unwrap_is_ours_while_we_are_on(name: str) -> None:
    before = getattr(webhooks, name).unwrap
    with traced():
        assert getattr(webhooks, name).unwrap is not before
    assert getattr(webhooks, name).unwrap is before


def test_nothing_is_missed_where_it_stands_in_a_base_class(caplog: pytest.LogCaptureFixture) -> None:
    importlib.import_module("openai.resources.webhooks")
    with traced():
        pass
    assert "so it is not traced" not in caplog.text
