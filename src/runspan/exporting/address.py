"""Where spans go, over which protocol and with which headers: options, then the preset, then `OTEL_*`, then localhost.

Decided once, here: for the exporter that `instrument()` makes, and for the commands that check it or send there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .. import presets
from ..config import Config, ConfigError, has_host, host_of
from ..presets import Destination
from . import variables
from .variables import of_otlp

HTTP, GRPC = "http/protobuf", "grpc"
DEFAULTS: Mapping[str, str] = {HTTP: "http://localhost:4318", GRPC: "http://localhost:4317"}
PATH = "/v1/traces"
PORTS: Mapping[str, int] = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """`url`: whole, with the path, over HTTP; over gRPC as it was given.

    `headers`: all that are sent, names in lower case; `own_headers`: those of options and preset.
    `resource`: attributes that the backend wants.
    """

    protocol: str
    url: str
    own_headers: Mapping[str, str]
    headers: Mapping[str, str]
    resource: Mapping[str, str]
    is_of_preset: bool  # the backend's own address, and not that of the variables

    @property
    def shown(self) -> str:
        """`host:port`, without keys and path."""
        return host_of(self.url) or self.url

    @property
    def protocol_of_port(self) -> str:
        """The protocol that receivers speak at this port, by custom; `protocol` for any other port."""
        try:
            port = self.host_port[1]
        except ValueError:
            return self.protocol
        return next((over for over, url in DEFAULTS.items() if urlsplit(url).port == port), self.protocol)

    @property
    def has_path_twice(self) -> bool:
        """A variable held the path, and the exporter added it again."""
        return self.protocol == HTTP and self.url.endswith((f"{PATH}{PATH}", f"{PATH}/{PATH}"))

    @property
    def is_secure(self) -> bool:
        """Over TLS. What the scheme leaves open over gRPC, a variable of the SDK decides."""
        scheme = urlsplit(self.url).scheme
        if self.protocol == HTTP or scheme == "https":
            return scheme == "https"
        return not variables.read_otlp("INSECURE", "TRACES", variables.flag, scheme == "http")

    @property
    def host_port(self) -> tuple[str, int]:
        """What a connection is made to. Raises ValueError for a port that is none."""
        parts = urlsplit(self.url if "://" in self.url else f"//{self.url}")
        usual = 443 if self.protocol == GRPC else PORTS.get(parts.scheme, 80)
        return parts.hostname or "", parts.port or usual


def address(config: Config, over: str | None = None) -> Address:
    """Of the exporter for these settings; `over`: of one that knows that protocol alone.

    Raises ConfigError for what is not known, missing, or no address.
    """
    said = protocol()
    to = destination(config, over or said)
    if over is None:
        over = said if to.takes_grpc else HTTP
    elif over != said and to.endpoint is None and of_otlp("ENDPOINT")[1]:
        name = of_otlp("ENDPOINT")[0]
        raise ConfigError(
            f"{name} is for {said}, but this needs an address for {over}: name one with --endpoint."
        )
    own = headers_of({**to.headers, **(config.headers or {})}, None, over)
    is_of_preset = config.backend is not None and config.endpoint is None and to.endpoint is not None
    headers = headers_of(own, None if is_of_preset else "TRACES", over)
    return Address(over, endpoint_url(to.endpoint, over), own, headers, to.resource, is_of_preset)


def exporters(config: Config) -> tuple[str, ...]:
    """Names as in `OTEL_TRACES_EXPORTER`; without it `otlp`, or nothing beside a file when no address is named."""
    wanted = variables.names("OTEL_TRACES_EXPORTER")
    if not wanted:
        is_named = config.endpoint or config.backend or of_otlp("ENDPOINT")[1]
        wanted = ["otlp"] if is_named or config.file is None else []
    return tuple(name for name in wanted if name != "none")


def destination(config: Config, over: str | None = None) -> Destination:
    """The endpoint option beats the backend, which beats the variables. A backend's keys go to its own address only."""
    if config.endpoint is not None or config.backend is None:
        return Destination(config.endpoint)
    return presets.destination(config.backend, os.environ, grpc=(over or protocol()) == GRPC)


def protocol(signal: str = "TRACES") -> str:
    """`HTTP` or `GRPC`."""
    return variables.read_otlp("PROTOCOL", signal, variables.one_of(*DEFAULTS), HTTP)


def headers_of(own: Mapping[str, str], signal: str | None, over: str) -> dict[str, str]:
    """Those of options and preset, which beat those in the variables. `signal` None: the variables are for another address."""
    named = variables.read_otlp("HEADERS", signal, variables.headers, variables.NOTHING) if signal else {}
    for written, given in ((of_otlp("HEADERS", signal or "")[0], named), ("headers", own)):
        for name, value in given.items():
            _check_header(written, name.lower(), value, over)
    return {**named, **{name.lower(): value for name, value in own.items()}}  # gRPC takes no capitals


def endpoint_url(endpoint: str | None, over: str, signal: str = "TRACES") -> str:
    """Where it is sent, with the path over HTTP. `endpoint`: what options or preset say.

    An address for one signal alone is taken as it is (opentelemetry.io/docs/specs/otel/protocol/exporter).
    """
    path = f"/v1/{signal.lower()}"
    name, value = of_otlp("ENDPOINT", signal)
    if endpoint is None and value:
        _check(name, value, over)
    if over == GRPC:
        return endpoint or value or DEFAULTS[GRPC]
    if endpoint is not None:
        return endpoint.rstrip("/").removesuffix(PATH) + path
    if value and f"_{signal}_" in name:
        return value
    return (value or DEFAULTS[HTTP]).removesuffix("/") + path


# ---------------------------------------------------------------- pieces


def _check(name: str, value: str, over: str) -> None:
    """HTTP needs a whole URL; gRPC takes its own form of names, too."""
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "", value
    is_target = over == GRPC and not scheme and "/" not in rest
    if _is_host(rest) and (scheme.lower() in PORTS or is_target):
        return
    said = value.rpartition("@")[2].partition("?")[0]  # without a password
    example = f"http://{said}" if not scheme and _is_host(said) else DEFAULTS[over]
    raise ConfigError(f"{name}={said!r} is no address: write a URL such as {example!r}.")


# Name and value that a header may have: RFC 9110, and the narrower rules of gRPC's PROTOCOL-HTTP2.
_HEADERS: Mapping[str, tuple[re.Pattern[str], re.Pattern[str], str]] = {
    HTTP: (
        re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+"),
        re.compile(r"([!-~\x80-\xff][\t -~\x80-\xff]*)?"),
        "Latin letters, digits and signs",
    ),
    GRPC: (
        re.compile(r"[0-9a-z_.-]+"),
        re.compile(r"[ -~]*"),
        "ASCII letters, digits and signs, and a name without -bin at its end",
    ),
}


def _check_header(written: str, name: str, value: str, over: str) -> None:
    """A client refuses what it can't send when it sends it, so that no span would ever leave."""
    names, values, cure = _HEADERS[over]
    is_binary = over == GRPC and name.endswith("-bin")
    if is_binary or not (names.fullmatch(name) and values.fullmatch(value)):
        raise ConfigError(f"{written}=...: {over} can't send the header {name!r}. Use {cure}.")


def _is_host(text: str) -> bool:
    return has_host(f"//{text}") and not re.search(r"[\s\x00-\x1f]", text)
