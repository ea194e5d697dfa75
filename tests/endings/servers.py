"""The servers whose ends are tried: how each is started, and what has to be installed for it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

SERVED = "tests.endings.served"
GUNICORN = ("gunicorn", "--no-control-socket", "--workers", "2")


@dataclass(frozen=True, slots=True)
class Server:
    """`python -m COMMAND...`; `{port}` stands for a free port."""

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...]  # modules
    instruments: str = "module"  # where instrument() stands in the app
    path: str = "/"
    kills_after_s: float = math.inf  # how long it waits for its processes before it kills them
    leaves: str = ""  # what the process with this `{pid}` writes, unless it is killed

    def argv(self, port: int) -> list[str]:
        return ["-m", *(part.format(port=port) for part in self.command)]


def _uvicorn(name: str, *more: str, app: str = "app", instruments: str = "module", path: str = "/") -> Server:
    command = ("uvicorn", f"{SERVED}:{app}", "--port", "{port}", "--log-level", "warning", *more)
    return Server(name, command, ("uvicorn",), instruments, path)


def _gunicorn(name: str, app: str, *more: str, needs: tuple[str, ...] = ()) -> Server:
    command = (*GUNICORN, f"{SERVED}:{app}", "--bind", "127.0.0.1:{port}", *more)
    return Server(name, command, ("gunicorn", *needs), kills_after_s=30, leaves="Worker exiting (pid: {pid})")


def _hypercorn(name: str, workers: int) -> Server:
    command = ("hypercorn", f"{SERVED}:app", "--bind", "127.0.0.1:{port}", "--workers", str(workers))
    return Server(name, command, ("hypercorn",))


SERVERS = (
    _uvicorn("uvicorn"),
    _uvicorn("uvicorn, messages not read", path="/unread"),
    _uvicorn("uvicorn, in the lifespan", instruments="lifespan"),
    _uvicorn("uvicorn, in the lifespan, taken off at its end", instruments="lifespan, both"),
    _uvicorn("uvicorn --factory", "--factory", app="make_app", instruments="factory"),
    _uvicorn("uvicorn --lifespan off", "--lifespan", "off"),
    _uvicorn("uvicorn --workers 2", "--workers", "2"),
    _uvicorn("uvicorn --reload", "--reload", "--reload-dir", os.path.dirname(__file__)),
    _gunicorn("gunicorn", "application"),
    # Two signals to quit within a moment lock a worker with threads up for good, with and without us: the handler waits for a lock
    # of its ThreadPoolExecutor, which the main thread holds. The master kills such a worker after 30 s.
    _gunicorn("gunicorn --threads 4", "application", "--threads", "4"),
    _gunicorn(
        "gunicorn -k uvicorn_worker.UvicornWorker",
        "app",
        "-k",
        "uvicorn_worker.UvicornWorker",
        needs=("uvicorn_worker",),
    ),
    _gunicorn(
        "gunicorn -k uvicorn.workers.UvicornWorker",
        "app",
        "-k",
        "uvicorn.workers.UvicornWorker",
        needs=("uvicorn.workers",),
    ),
    _hypercorn("hypercorn --workers 0", 0),
    _hypercorn("hypercorn", 1),
    _hypercorn("hypercorn --workers 2", 2),
    Server("daphne", ("daphne", "-p", "{port}", "-v", "0", f"{SERVED}:app"), ("daphne",)),
    Server(
        "granian --workers 2",
        ("granian", f"{SERVED}:app", "--interface", "asgi", "--port", "{port}", "--workers", "2", "--no-log"),
        ("granian",),
    ),
)
