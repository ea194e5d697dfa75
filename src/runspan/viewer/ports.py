"""Addresses to listen on: the usual ports, what is taken and by whom, and who can reach it."""

from __future__ import annotations

import errno
import http.client
import ipaddress
import socket

HTTP_PORT = 4318  # where every OTLP/HTTP exporter sends that was told nothing
GRPC_PORT = 4317  # and every one over gRPC


class PortBusyError(OSError):
    """Somebody else listens there; the message names them and the way around."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or `PortBusyError`."""
    try:
        return _bound(host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        free = port + 1 if port < 65_535 else port - 1
        raise PortBusyError(
            f"port {port} is taken by {who_answers(host, port)}."
            f" Use --port {free} and OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:{free}"
        ) from error


def check_free(host: str, port: int) -> None:
    """Raises `PortBusyError` where another program listens; gRPC would say so on stderr, in words of its own."""
    try:
        _bound(host, port).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortBusyError(f"port {port} is taken by another program") from error


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), port), family=family, backlog=128)


def who_answers(host: str, port: int) -> str:
    """What listens there, in a few words, judged by its answers."""
    connection = http.client.HTTPConnection(named(host).strip("[]"), port, timeout=1.0)
    try:
        connection.request("GET", "/about")
        answer = connection.getresponse()
        answer.read(4_096)
        server = answer.headers.get("Server", "")
        if server == "runspan":
            return f"another runspan viewer (open http://{named(host)}:{port})"
        connection.close()
        connection.request("POST", "/v1/traces", b"", {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        if answer.status == 200 and "protobuf" in (answer.headers.get("Content-Type") or ""):
            return "an OTLP receiver (an OpenTelemetry Collector, Jaeger or the like)"
        return f"an HTTP server ({server})" if server else "an HTTP server"
    except (OSError, http.client.HTTPException):
        return "a program that does not answer HTTP"
    finally:
        connection.close()


def named(host: str) -> str:
    """How the host is written in an address; `localhost` for every interface."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - it is compared, not bound
        return "localhost"
    return bracketed(host)


def bracketed(host: str) -> str:
    """An IPv6 address in brackets, anything else as it is."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
