"""`runspan replay`: a file of traces, sent on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from ..config import BACKENDS, ConfigError, host_of, resolve
from ..exporting.address import HTTP, address
from ..exporting.batches import batches
from ..viewer.decode import BadBodyError, parse
from ..viewer.store.files import exports, refusal
from ..viewer.text import neutral
from ..viewer.units import count
from . import exits
from .output import Problem, say_json
from .progress import progress
from .resend import Sender, with_resource


@click.command("replay", short_help="Send a file of traces to a backend.")
@click.option(
    "--endpoint", metavar="URL", help="Address to send to, over OTLP/HTTP. [default: as for an app]"
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME=VALUE",
    help="A header of the requests, such as a key. Can be repeated.",
)
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    metavar="NAME",
    help=f"Backend to send to, by its own variables: {', '.join(BACKENDS)}.",
)
@click.option(
    "--batch-bytes",
    type=click.IntRange(16_384),
    default=3_500_000,
    show_default=True,
    metavar="N",
    help="Largest size of a request, in encoded bytes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(
    endpoint: str | None,
    headers: tuple[str, ...],
    backend: str | None,
    batch_bytes: int,
    as_json: bool,
    file: Path,
) -> None:
    """Send a saved file to a backend, as OTLP over HTTP in protobuf.

    FILE is a file of `instrument(file=...)`, RUNSPAN_FILE or a Collector. Spans keep their ids and times, so a backend that
    identifies spans by id keeps one if you send a file twice. Requests are repeated if the receiver asks for that. Address and keys
    come from the options, else from --backend and its variables, else from OTEL_EXPORTER_OTLP_*. --backend adds no attributes: the
    file is sent as it was recorded.

    \b
    Examples:
      runspan replay traces.jsonl --endpoint http://localhost:4318
      runspan replay traces.jsonl --backend phoenix
      runspan replay traces.jsonl --endpoint https://otlp.example.com --header "authorization=Bearer $KEY"
    """
    sender, resource = _sender(endpoint, headers, backend)
    try:
        with progress(f"sending {file} to {host_of(sender.url)}", "spans delivered") as seen:
            for batch in batches(with_resource(_parts(file), resource), batch_bytes):
                sender.send(batch)
                seen(sender.sent.delivered)
    except (ValueError, OSError) as error:
        if sender.sent.requests:
            _report(sender, as_json)
        raise Problem(f"{error}") from None
    finally:
        sender.close()
    sent = sender.sent
    if not (sent.delivered or sent.rejected or sent.failed):
        raise Problem(f"there is no span in {file}", exits.NOT_WELL)
    _report(sender, as_json)
    if sent.rejected or sent.failed:
        said = "; ".join(sent.problems) or "it did not say why"
        raise Problem(f"{host_of(sender.url)} did not take all of them: {said}", exits.NOT_WELL)


def _sender(
    endpoint: str | None, headers: tuple[str, ...], backend: str | None
) -> tuple[Sender, dict[str, str]]:
    """And the attributes that the backend wants on every resource."""
    given = {"endpoint": endpoint, "backend": backend, "headers": dict(map(_pair, headers)) or None}
    options = {name: value for name, value in given.items() if value is not None}
    try:
        to = address(resolve(options, os.environ), HTTP)
        # Headers of the variables are for the address of the variables.
        return Sender(to.url, to.own_headers if endpoint is not None else to.headers), dict(to.resource)
    except ConfigError as error:
        raise Problem(str(error)) from None


def _pair(header: str) -> tuple[str, str]:
    name, equals, value = header.partition("=")
    if not equals or not name.strip():
        raise Problem("--header wants NAME=VALUE")
    return name.strip().lower(), value.strip()


def _parts(path: Path) -> Iterator[ResourceSpans]:
    for where, body, content_type in exports(path, lambda said: click.echo(neutral(said), err=True)):
        yield from _read(path, where, body, content_type)


def _read(path: Path, where: str, body: bytes, content_type: str) -> list[ResourceSpans]:
    try:
        return list(
            parse(ExportTraceServiceRequest, body, content_type, lambda request: request).resource_spans
        )
    except BadBodyError as error:
        raise ValueError(refusal(path, where, content_type, error)) from error


def _report(sender: Sender, as_json: bool) -> None:
    sent = sender.sent
    if as_json:
        say_json(
            {
                "endpoint": host_of(sender.url),
                "delivered": sent.delivered,
                "rejected": sent.rejected,
                "failed": sent.failed,
                "requests": sent.requests,
                "problems": list(sent.problems),
            }
        )
        return
    more = "".join(
        f", {n:,} {what}" for what, n in (("rejected", sent.rejected), ("failed", sent.failed)) if n
    )
    click.echo(
        f"{count(sent.delivered, 'span')} delivered{more}, in {count(sent.requests, 'request')}, to {host_of(sender.url)}"
    )
