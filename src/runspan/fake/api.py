"""The application: routes, injected faults, the scenario of the next run, the log of requests."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runspan.fake import assistants, files, objects, runs, threads, vector_stores
from runspan.fake.clock import Clock
from runspan.fake.dialects.speaking import Speaker
from runspan.fake.faults import SERVER_ERROR, ApiError, Drop, Fault, HttpError, Rule, Slow
from runspan.fake.http import Handler, Request, Response, json_response
from runspan.fake.playlist import Playlist
from runspan.fake.responses import conversations, routes
from runspan.fake.responses.scenarios import Scenario as ResponseScenario
from runspan.fake.responses.webhooks import Webhooks
from runspan.fake.scenarios import Scenario
from runspan.fake.store import Object, State

ROUTES: Mapping[str, Handler] = {
    **assistants.ROUTES,
    **threads.ROUTES,
    **runs.ROUTES,
    **files.ROUTES,
    **vector_stores.ROUTES,
    **routes.ROUTES,
    **conversations.ROUTES,
}
# What stands before the API's own path: a deployment may serve it below any.
PREFIX = re.compile(
    r"^(?:.*?(?=/(?:assistants|threads|files|vector_stores|responses|conversations)(?:/|$))"
    r"|/(?:openai/v1|openai|v1)(?=/))"
)
SECRETS = frozenset({"authorization", "api-key", "cookie", "openai-organization", "openai-project"})


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came, with the status it was answered with (None: the connection was dropped)."""

    method: str
    path: str  # without /v1, /openai, or the longer path of a deployment
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]  # names in lower case, without secrets
    json: Any  # the body; None where it is no JSON
    status: int | None


@dataclass(slots=True)
class Api:
    """All of one server but its socket. Called in the server's thread only."""

    state: State
    clock: Clock
    scenarios: Playlist[Scenario]  # of runs
    responses: Playlist[ResponseScenario]
    webhooks: Webhooks
    requests: deque[Received]
    rules: list[Rule] = field(default_factory=list)
    speaker: Speaker | None = None  # of a dialect

    @property
    def now(self) -> int:
        """The clock as a stamp."""
        return int(self.clock.now())

    def __call__(self, request: Request) -> Response:
        started = time.perf_counter()
        path = PREFIX.sub("", request.path).rstrip("/")
        fault = next((rule.fault for rule in self.rules if rule.takes(request.method, path)), None)
        try:
            response = self._answer(request, path, fault)
        except Exception as error:  # a bug of the fake, or a request no client of the API makes
            response = faulty(HttpError(500, f"{SERVER_ERROR} ({error!r})", type="server_error"))
        response.headers["openai-processing-ms"] = str(int((time.perf_counter() - started) * 1000) + 1)
        response.headers["openai-version"] = "2020-10-01"
        response.headers["x-request-id"] = self.state.new_id("req_")
        self.requests.append(_received(request, path, response))
        return response

    def _answer(self, request: Request, path: str, fault: Fault | None) -> Response:
        if isinstance(fault, (HttpError, Drop)):
            return faulty(fault)
        try:
            if self.speaker is not None:
                request, path = self.speaker.heard(request, path)
            route = _template(request.method, path)
            refusal = self.speaker and self.speaker.refusal(route, ROUTES.__contains__)
            if refusal:
                return refusal
            handler, ids = _route(request.method, path)
            answer = handler(self, request, *ids)
        except ApiError as error:
            return faulty(error.fault)
        except (json.JSONDecodeError, UnicodeDecodeError):
            return faulty(HttpError(400, "We could not parse the JSON body of your request."))
        if not isinstance(answer, Response):
            v1 = self.scenarios.scenario.era == "v1" or request.headers.get("openai-beta") == "assistants=v1"
            answer = json_response(_viewed(answer, request, v1))
        if self.speaker is not None:
            answer = self.speaker.said(self, request, route, answer)
        if isinstance(fault, Slow):
            answer.delay_s = fault.seconds
        return answer


def faulty(fault: HttpError | Drop | Slow) -> Response:
    """The answer that is the fault."""
    if not isinstance(fault, HttpError):
        return Response(drop=True)
    response = json_response(fault.body(), fault.status)
    if fault.retry_after_s is not None:
        response.headers["retry-after"] = str(fault.retry_after_s)
    return response


def _template(method: str, path: str) -> str:
    """Every second part of a path is an id, but for POST /threads/runs."""
    exact = f"{method} {path}"
    if exact in ROUTES:
        return exact
    parts = path.split("/")[1:]
    return f"{method} /" + "/".join("*" if place % 2 else part for place, part in enumerate(parts))


def _route(method: str, path: str) -> tuple[Handler, list[str]]:
    template = _template(method, path)
    handler = ROUTES.get(template)
    if handler is None:
        raise ApiError(HttpError(404, f"Invalid URL ({method} {path})", code="unknown_url"))
    return handler, path.split("/")[2::2] if "*" in template else []


def _viewed(body: Object, request: Request, v1: bool) -> Object:
    results = objects.INCLUDE_RESULTS in request.query.get("include[]", ())
    if body.get("object") == "list":
        return {**body, "data": [objects.view(one, v1=v1, results=results) for one in body["data"]]}
    return objects.view(body, v1=v1, results=results)


def _received(request: Request, path: str, response: Response) -> Received:
    headers = {name: value for name, value in request.headers.items() if name not in SECRETS}
    try:
        body = request.json()
    except ValueError:
        body = None
    status = None if response.drop else response.status
    return Received(request.method, path, request.query, headers, body, status)
