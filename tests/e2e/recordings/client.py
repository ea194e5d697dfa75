"""The real client, sync or async, OpenAI or Azure, on all supported versions."""

from __future__ import annotations

from functools import reduce
from typing import Any

import openai

from .exchange import Exchange
from .modes import Mode

AZURE_VERSION = "2024-05-01-preview"


def client_for(mode: Mode, exchanges: list[Exchange], address: str) -> Any:
    """No retries, since each recorded answer is given once; no proxies; no certificates (slow to load)."""
    http = openai.DefaultAsyncHttpxClient if mode.is_async else openai.DefaultHttpxClient
    common: dict[str, Any] = {
        "api_key": "replay",
        "max_retries": 0,
        "http_client": http(verify=False, trust_env=False),
    }
    if any(exchange.azure for exchange in exchanges):
        azure = openai.AsyncAzureOpenAI if mode.is_async else openai.AzureOpenAI
        versions = [e.query["api-version"] for e in exchanges if "api-version" in e.query]
        return azure(azure_endpoint=address, api_version=(versions or [AZURE_VERSION])[0], **common)
    plain = openai.AsyncOpenAI if mode.is_async else openai.OpenAI
    return plain(base_url=f"{address}/v1", **common)


def method(client: Any, dotted: str) -> Any:
    """`beta.threads.runs.create` of this client; the oldest versions keep vector stores under beta."""
    if dotted.startswith("vector_stores.") and not hasattr(client, "vector_stores"):
        dotted = f"beta.{dotted}"
    return reduce(getattr, dotted.split("."), client)
