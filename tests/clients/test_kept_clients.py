"""What is kept of a client, read off its attributes: its keys, whether the app brings them by code, its transport."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import openai
import pytest

from runspan import _compat
from runspan.clients.openai import background
from runspan.clients.openai.server import secrets_of
from runspan.clients.reads import AsyncReads

AZURE: Any = {"azure_endpoint": "https://resource.openai.azure.com", "api_version": "2025-01-01"}
TOKEN = "a-token-of-azure"


async def token() -> str:
    return TOKEN


def test_the_keys_of_a_client_are_those_that_its_attributes_are_called_like() -> None:
    client = openai.AsyncAzureOpenAI(azure_ad_token=TOKEN, **AZURE)
    assert TOKEN in set(secrets_of(client))
    assert "sk-of-a-client" in set(secrets_of(openai.OpenAI(api_key="sk-of-a-client")))


def test_a_key_that_a_class_makes_up_is_one_too() -> None:
    class Made(openai.OpenAI):
        api_key = property(lambda self: "sk-made-up", lambda self, key: None)  # type: ignore[assignment]

    assert "sk-made-up" in set(secrets_of(Made(api_key="k")))


def test_code_of_the_app_that_brings_keys_is_seen() -> None:
    assert _compat.has_provider(openai.AsyncAzureOpenAI(azure_ad_token_provider=token, **AZURE))
    assert not _compat.has_provider(openai.AsyncAzureOpenAI(api_key="k", **AZURE))
    assert not _compat.has_provider(openai.AsyncOpenAI(api_key="k"))


@pytest.mark.skipif(
    not hasattr(openai.OpenAI, "_refresh_api_key"), reason="this version's api_key is a string"
)
def test_a_function_in_place_of_a_key_is_such_code() -> None:
    client: Any = openai.AsyncOpenAI(api_key=token)
    assert _compat.has_provider(client)


@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])
def test_a_copy_of_a_transport_shares_neither_connections_nor_locks(kind: Any) -> None:
    http = kind(api_key="k")._client
    rest = _compat.transport_at_rest(http)
    pool, own = http._transport._pool, rest._transport._pool
    assert own._connections is not pool._connections
    locks = [name for name in vars(pool) if "lock" in name]
    assert locks
    assert all(type(vars(own)[name]) is type(vars(pool)[name]) for name in locks)
    assert not any(vars(own)[name] is vars(pool)[name] for name in locks)


@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])
def test_what_a_tracer_put_in_place_of_a_method_is_in_no_copy(kind: Any) -> None:
    """Instrumentations of single httpx clients do so: a copy of the wrapper would lead to the app's own connections."""
    http = kind(api_key="k")._client
    for one in (http, http._transport, http._transport._pool):
        for name in ("send", "handle_request", "handle_async_request", "close", "aclose"):
            if hasattr(one, name):
                setattr(one, name, getattr(one, name))
    for copied in (
        _compat.transport_at_rest(http),
        _compat.opened_transport(_compat.transport_at_rest(http)),
    ):
        for one in (copied, copied._transport, copied._transport._pool):
            bound = [name for name in vars(one) if callable(getattr(type(one), name, None))]
            assert not bound, (one, bound)


def test_copies_share_the_certificates_that_are_the_same_and_no_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where an app changes the environment between two clients, each keeps its proxies, and what it trusts."""

    def kept(proxy: str) -> Any:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        transport = background.Transport(openai.OpenAI(api_key="k")._client)
        transport.shrink()
        return transport.rest

    def trusted(rest: Any) -> Any:
        return rest._transport._pool._ssl_context

    def proxies(rest: Any) -> set[bytes]:
        pools = [mounted._pool for mounted in rest._mounts.values() if mounted is not None]
        return {
            pool._proxy_url.host if hasattr(pool, "_proxy_url") else pool._proxy.url.host for pool in pools
        }

    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    first, second = kept("http://one.example:1"), kept("http://two.example:2")
    assert (proxies(first), proxies(second)) == ({b"one.example"}, {b"two.example"})
    certificates = trusted(first).get_ca_certs(binary_form=True)
    if certificates:  # else the system's are in a folder, and weigh nothing
        assert trusted(first) is trusted(second)
        file = tmp_path / "fewer.pem"
        file.write_text(ssl.DER_cert_to_PEM_cert(certificates[0]))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert trusted(kept("http://two.example:2")).get_ca_certs(binary_form=True) == certificates[:1]


def test_httpx_takes_the_reads_of_an_async_body_for_a_generator_and_closes_them() -> None:
    assert issubclass(AsyncReads, AsyncGenerator)
