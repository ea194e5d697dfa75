"""A server of the toy API on loopback. Each look at a job moves it on by one state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.listening import Handler, listening

MADE = 1_700_000_000.75
WISH = {"id": "w1", "tool": "weather", "given": '{"city":"Ulm"}'}
ANSWER = "It is 42."


@dataclass
class Toy:
    """`slow`: how many looks find a job as it was before."""

    url: str = ""
    slow: int = 0
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    looks: int = 0

    def begin(self, body: dict[str, Any]) -> dict[str, Any]:
        id_ = str(len(self.jobs) + 17)
        plan = ["working", "done"]
        if body.get("tools"):
            plan[1:1] = ["blocked"]
        job = {
            "id": id_,
            "talk": body["talk"],
            "engine": body["engine"],
            "state": "pending",
            "at": {"made": MADE},
        }
        self.jobs[id_] = {**job, "has_tools": bool(body.get("tools")), "plan": plan, "calls": []}
        return self.shown(id_)

    def look(self, id_: str) -> dict[str, Any]:
        job = self.jobs[id_]
        self.looks += 1
        if job["plan"] and job["state"] != "blocked" and self.looks % (self.slow + 1) == 0:
            self.move(job)
        return self.shown(id_)

    def move(self, job: dict[str, Any]) -> None:
        job["state"] = state = job["plan"].pop(0)
        if state == "blocked":
            job["wishes"] = [WISH]
        if state == "done":
            job.update(spent={"read": 11, "written": 5}, at={**job["at"], "over": MADE + 2})

    def answer(self, id_: str, answers: list[dict[str, str]]) -> dict[str, Any]:
        job = self.jobs[id_]
        job["calls"] = [
            {"wish": a["wish"], "tool": WISH["tool"], "given": WISH["given"], "says": a["says"]}
            for a in answers
        ]
        del job["wishes"]
        job["state"] = "working"
        return self.shown(id_)

    def shown(self, id_: str) -> dict[str, Any]:
        return {k: v for k, v in self.jobs[id_].items() if k not in ("plan", "calls")}

    def notes(self, talk: str) -> list[dict[str, Any]]:
        asked = {"id": 1, "says": "What is it?", "at": MADE - 5}
        return [asked, *(self.note(job) for job in self.jobs.values() if job["talk"] == talk)]

    def note(self, job: dict[str, Any]) -> dict[str, Any]:
        return {"id": f"n{job['id']}", "says": ANSWER, "at": MADE + 1, "job": job["id"]}

    def events(self, id_: str) -> Iterator[dict[str, Any]]:
        job = self.jobs[id_]
        yield {"kind": "job-now", **self.shown(id_)}
        self.move(job)
        yield {"kind": "job-now", **self.shown(id_)}
        for piece in ("It is", " 42."):
            yield {"kind": "piece", "note": f"n{id_}", "piece": piece}
        yield {"kind": "note-whole", **self.note(job)}
        self.move(job)
        yield {"kind": "job-now", **self.shown(id_)}

    def handle(self, method: str, path: str, body: dict[str, Any]) -> Any:
        self.seen.append(f"{method} {path}")
        what, id_, *more = path.strip("/").split("/") + [""] * (3 - len(path.strip("/").split("/")))
        if what == "talks":
            return {"data": self.notes(id_)}
        if not id_:
            job = self.begin(body)
            return self.events(job["id"]) if body.get("live") else job
        if more[0] == "answers":
            return self.answer(id_, body["answers"])
        if more[0] == "parts":
            calls = self.jobs[id_]["calls"]
            return {"data": [{"id": 1, "calls": calls}] if calls else []}
        return self.look(id_)


@contextmanager
def serve() -> Iterator[Toy]:
    toy = Toy()

    class Answering(Handler):
        def do_POST(self) -> None:
            body = json.loads(self.body() or b"{}")
            answer = toy.handle(self.command, self.path.partition("?")[0].removeprefix("/v1"), body)
            is_stream = isinstance(answer, Iterator)
            lines = (
                (f"data: {json.dumps(event)}\n\n" for event in answer) if is_stream else [json.dumps(answer)]
            )
            kind = "text/event-stream" if is_stream else "application/json"
            self.answer(200, "".join(lines).encode(), content_type=kind)

        do_GET = do_POST  # noqa: N815

    with listening(Answering) as address:
        toy.url = f"{address}/v1"
        yield toy
