"""What our exporters of spans and of metrics have in common: they complain once, and do not try an address that refuses."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any


def refuses(where: str) -> bool:
    """Whether nobody listens at `host:port`."""
    host, _, port = where.rpartition(":")
    if not (host and port.isdigit()):
        return False
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=0.2).close()
    except ConnectionRefusedError:
        return True
    except OSError:  # slow, unknown, filtered: that is for the exporter to find out
        return False
    return False


class AtWork(threading.local):
    """`active` on a thread while an exporter works for us."""

    active = False


at_work = AtWork()


def _not_ours(_: logging.LogRecord) -> bool:
    return not at_work.active


def quiet(exporter: Any) -> None:
    """Its module's logger and those of the shared code below it; filters do not reach child loggers."""
    own = type(exporter).__module__
    shared = [n for n in list(logging.Logger.manager.loggerDict) if n.startswith("opentelemetry.exporter")]
    for name in {own, *shared}:
        target = logging.getLogger(name)
        if _not_ours not in target.filters:
            target.addFilter(_not_ours)
