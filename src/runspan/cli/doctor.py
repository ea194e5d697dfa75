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
@click.option("--no-send", is_flag=True, help="Look only; send no test trace.")
@click.option(
    "--timeout", default=10.0, show_default=True, metavar="SECONDS", help="For the test trace to arrive."
)
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
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
    """Look for what keeps traces from arriving, in this environment.

    Run it where your app runs: same Python, same variables. It looks at versions, settings and variables (secrets masked), at who
    else traces the openai client, and at the address that traces go to. Then it makes one run with the real client and a fake
    server, sends its trace (service.name: runspan-doctor) the way your app would, and says whether it arrived. `runspan ui` is
    asked for the trace and deletes it again; of other receivers the answer to the export counts.

    The exit code is 1 when anything is marked XX.

    With a TARGET the app is run as by `runspan run`, in place of the test, and its end is followed by what became of its runs: how
    many, what was dropped and why, who else traces its client. All of this is on stderr, and the exit code is the app's.

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
