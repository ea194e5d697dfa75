"""`runspan doctor`: why nothing arrives."""

from __future__ import annotations

from dataclasses import replace

import click

from . import exits
from .app import App
from .finding import Finding, State
from .output import say_json


@click.command(
    "doctor", short_help="Why nothing arrives.", context_settings={"allow_interspersed_args": False}
)
@click.option("--no-send", is_flag=True, help="Check only; send no test trace.")
@click.option(
    "--timeout", default=10.0, show_default=True, metavar="SECONDS", help="Time for the test trace to arrive."
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("-m", "is_module", is_flag=True, help="TARGET is a module, as for python -m.")
@click.argument("target", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    no_send: bool,
    timeout: float,
    as_json: bool,
    is_module: bool,
    target: str | None,
    arguments: tuple[str, ...],
) -> App | int:
    """Find out why traces do not arrive.

    Run it where your app runs: same Python, same variables. It checks versions, settings and variables (secrets masked), other
    tracers of the openai client, and the address that traces go to. Then it makes one run with the real client and a fake server,
    sends its trace (service.name: runspan-doctor) as your app would, and says whether it arrived. It reads the trace back from
    `runspan ui` and deletes it; other receivers only confirm the export.

    The exit code is 1 if a finding is marked XX.

    With a TARGET it runs that app as `runspan run` does, instead of the test. At the end it reports the app's runs: how many, what
    was dropped and why, and other tracers of its client. The report is on stderr, and the exit code is the app's.

    \b
    Examples:
      runspan doctor
      OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 runspan doctor
      runspan doctor app.py --its own --options
      runspan doctor --json | jq '.findings[] | select(.state == "bad")'
    """
    from .drawing import draw
    from .health import examine

    app = None if target is None else App(target, arguments, is_module, as_json=as_json)
    findings: list[Finding] = []
    for finding in examine(
        of_app=target is not None, sends=not no_send and target is None, timeout_s=timeout
    ):
        findings.append(finding)
        if not as_json:
            draw(finding, to_stderr=target is not None)
    if app is not None:
        return replace(app, examined=tuple(findings))
    is_well = all(finding.state is not State.BAD for finding in findings)
    if as_json:
        say_json({"ok": is_well, "findings": [finding.as_json() for finding in findings]})
    elif not is_well:
        click.echo("\nWhat is marked XX keeps traces from arriving.")
    return exits.DONE if is_well else exits.NOT_WELL
