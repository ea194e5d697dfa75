"""The ASGI application: which path is whose, behind the checks of `safety`."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from runspan.viewer.store import Store
from runspan.viewer.web.api import Api
from runspan.viewer.web.ingest import READERS, Ingest
from runspan.viewer.web.intake import Intake
from runspan.viewer.web.pages import Pages
from runspan.viewer.web.render import STATIC
from runspan.viewer.web.safety import Gate, Guarded


class _Static(StaticFiles):
    """Files of ours. Where the address holds the content's hash, they may be kept for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        is_hashed = b"v=" in scope["query_string"]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_hashed else "no-cache"
        return response


def build(store: Store, checks: Gate, intake: Intake, endpoint: str) -> ASGIApp:
    """The whole viewer. `endpoint` is what empty pages tell senders to use."""
    pages, ingest = Pages(store, endpoint), Ingest(intake)

    async def take(request: Request) -> Response:
        return await ingest(request)

    routes = [
        *(Route(path, take, methods=["POST"]) for path in READERS),
        Route("/", pages.runs),
        Route("/overview", pages.overview),
        Route("/traces", pages.traces),
        Route("/threads", pages.threads),
        Route("/sessions", pages.sessions),
        Route("/thread", pages.thread),
        Route("/session", pages.session),
        Route("/trace/{trace}", pages.trace),
        Route("/trace/{trace}/otlp.json", pages.otlp),
        Route("/trace/{trace}/span/{span}", pages.span),
        Route("/compare", pages.compare),
        Route("/docs", pages.docs),
        Route("/docs/{name:path}", pages.docs),
        Route("/live", pages.live),
        Route("/about", pages.about),
        *Api(store).routes(),
        Mount("/static", _Static(directory=STATIC)),
    ]
    errors = {404: pages.not_found, 500: pages.broken}
    return Guarded(Starlette(routes=routes, exception_handlers=errors), checks)
