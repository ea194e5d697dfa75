"""How the worker asks a pipeline's server in the background, also when the app has closed its client by then.

Pipelines are held weakly: our holding on to them would keep the app's connections open. What is kept of one, as long as a run of
it lives, is its policies with the credentials in them (`pipelines.Rest`).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from ...runtime import loops
from ...runtime.emitter import suppressed
from ...runtime.fetcher import Unavailable
from ...runtime.records import BackgroundClient
from ..keeping import Kept, kept_on
from ..library import FETCH, OURS
from .pipelines import Rest, is_open, policies_of
from .requests import query as query_of

Query = Mapping[str, Any]
KEPT = ("api-version",)  # what every request of the client says


class Background(Kept):
    """What is kept of one pipeline."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = weakref.ref(pipeline)
        self._rest = Rest(pipeline)
        self._has_retries = any(hasattr(policy, "configure_retries") for policy in policies_of(pipeline))

    def fits(self, pipeline: Any) -> bool:
        """Whether it was made of this pipeline."""
        return self._pipeline() is pipeline

    def living(self) -> Any:
        """The app's own pipeline. None: it is closed or gone."""
        pipeline = self._pipeline()
        return pipeline if pipeline is not None and is_open(pipeline) else None

    def get(self, base_url: str, sent: Query, path: str, query: Query, timeout_s: float) -> bytes | None:
        """The body, or None where there is nobody to ask or the server says that there is no such thing."""
        request, options = self._asking(base_url + path, {**sent, **query}, timeout_s)
        with suppressed():
            try:
                pipeline = self.living()
                if pipeline is not None:
                    return _body(pipeline.run(request, **options))
                if not self._rest.can_open:
                    return None
                with self._rest.opened() as pipeline:
                    return _body(pipeline.run(request, **options))
            except Exception as error:
                _check_refusal(error)
                return None

    def get_async(
        self,
        loop: Callable[[], Any],
        base_url: str,
        sent: Query,
        path: str,
        query: Query,
        timeout_s: float,
    ) -> bytes | None:
        """On the app's loop as long as that runs: its credentials belong there. Afterwards in this thread."""
        from .. import on_loop

        async def get(pipeline: Any) -> bytes | None:
            request, options = self._asking(base_url + path, {**sent, **query}, timeout_s)
            with suppressed():
                try:
                    if pipeline is not None:
                        return _body(await pipeline.run(request, **options))
                    if not self._rest.can_open:
                        return None
                    async with self._rest.opened() as pipeline:
                        return _body(await pipeline.run(request, **options))
                except Exception as error:
                    _check_refusal(error)
                    return None

        return on_loop.ask(loop(), lambda: get(self.living()), lambda: get(None), timeout_s + 1)

    def _asking(self, url: str, query: Query, timeout_s: float) -> tuple[Any, dict[str, Any]]:
        """Without retries, and without spans of azure-core's own."""
        request = import_module("azure.core.rest").HttpRequest(
            "GET", url, params=dict(query), headers={OURS: FETCH, "Accept": "application/json"}
        )
        options = {
            "stream": False,
            "connection_timeout": timeout_s,
            "read_timeout": timeout_s,
            "tracing_options": {"enabled": False},
        }
        return request, {**options, "retry_total": 0} if self._has_retries else options


def via(pipeline: Any, base_url: str, request: Any, *, is_async: bool) -> BackgroundClient:
    """How the worker may GET from this pipeline's server, as `request` did."""
    background = kept_on(pipeline, Background)
    sent = {name: value for name, value in (query_of(request) or {}).items() if name in KEPT}
    owner = hash((base_url, id(pipeline)))
    if not is_async:
        return BackgroundClient(base_url, owner, partial(background.get, base_url, sent))
    return BackgroundClient(base_url, owner, partial(background.get_async, loops.reference(), base_url, sent))


def _body(result: Any) -> bytes | None:
    response = result.http_response
    status = response.status_code
    if status == 429 or status >= 500:
        raise Unavailable
    content: bytes = response.content
    return content if status < 400 else None


def _check_refusal(error: Exception) -> None:
    """Refusals and silence of the server ask for a pause. All else is the answer: credentials that cannot be had, say."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, Unavailable) or kinds & {"ServiceRequestError", "ServiceResponseError"}:
        raise Unavailable from error
