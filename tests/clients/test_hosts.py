"""Which provider a client's server is, and that its calls are found whatever its base URL looks like."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from runspan.clients.hosts import AZURE, OPENAI
from runspan.clients.openai.server import server_of
from tests.support.app import canned_client
from tests.support.tracing import attribute, traced

PROVIDERS = {
    "https://api.openai.com/v1": OPENAI,
    "https://NAME.openai.azure.com/openai/v1": AZURE,
    "https://NAME.openai.azure.com/openai/v1/": AZURE,
    "https://NAME.OpenAI.Azure.com./openai/v1": AZURE,
    "https://NAME.privatelink.openai.azure.com/openai/v1": AZURE,
    "https://NAME.cognitiveservices.azure.com/openai/v1": AZURE,
    "https://NAME.services.ai.azure.com/openai/v1": AZURE,
    "https://NAME.services.ai.azure.com/api/projects/threads/openai/v1": AZURE,
    "https://NAME.openai.azure.us/openai/v1": AZURE,
    "https://NAME.cognitiveservices.azure.us/openai/v1": AZURE,
    "https://NAME.openai.azure.cn/openai/v1": AZURE,
    "https://westeurope.api.cognitive.microsoft.com/openai/v1": AZURE,
    "https://openai.azure.com.example.org/v1": OPENAI,
    "https://notopenai.azure.com/v1": OPENAI,
    "https://my-openai.azure.com.evil.example/v1": OPENAI,
    "https://openai.azure.com/v1": OPENAI,  # no resource has this name
    "http://localhost:8000/v1": OPENAI,
    "http://127.0.0.1/v1": OPENAI,
    "http://[::1]:8000/v1": OPENAI,
}


@pytest.mark.parametrize("base_url", PROVIDERS)
@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])
def test_a_plain_client_has_the_provider_of_its_host(kind: Any, base_url: str) -> None:
    assert server_of(kind(base_url=base_url, api_key="none")).provider == PROVIDERS[base_url]


def test_azure_clients_and_their_subclasses_are_azures_behind_any_host() -> None:
    class Ours(openai.AzureOpenAI): ...

    for kind in (openai.AzureOpenAI, openai.AsyncAzureOpenAI, Ours):
        client = kind(api_key="none", azure_endpoint="http://localhost:1", api_version="1")
        assert server_of(client).provider == AZURE


@pytest.mark.parametrize("base_url", PROVIDERS)
def test_a_run_on_each_host_is_found_and_its_spans_name_the_provider(base_url: str) -> None:
    with traced() as seen:
        runs = canned_client(base_url, status="completed").beta.threads.runs
        runs.retrieve(runs.create("thread_1", assistant_id="asst_1").id, thread_id="thread_1")
        run = seen.run()
    assert attribute(run, "gen_ai.provider.name") == PROVIDERS[base_url]
    assert attribute(run, "runspan.run.status") == "completed"
