"""`runspan doctor`: why nothing arrives."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from . import exits
from .finding import Finding, State
from .output import say_json

SIGNS = {
    State.OK: ("ok", "green"),
    State.NOTE: ("--", "dim"),
    State.WARN: ("!!", "yellow"),
    State.BAD: ("XX", "bold red"),
}


@click.command("doctor", short_help="Why nothing arrives.")
@click.option("--no-send", is_flag=True, help="Look only; send no test trace.")
@click.option(
    "--timeout", default=10.0, show_default=True, metavar="SECONDS", help="For the test trace to arrive."
)
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
def command(no_send: bool, timeout: float, as_json: bool) -> None:
    """Look for what keeps traces from arriving, in this environment.

    Run it where your app runs: same Python, same variables. It looks at versions, settings and variables (secrets masked), at who
    else traces the openai client, and at the address that traces go to. Then it makes one run with the real client and a fake
    server, sends its trace (service.name: runspan-doctor) the way your app would, and says whether it arrived: `runspan ui` is
    asked for it, of others the answer to the export counts.

    The exit code is 1 when anything is marked XX.

    \b
    Examples:
      runspan doctor
      OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 runspan doctor
      runspan doctor --json | jq '.findings[] | select(.state == "bad")'
    """
    from .health import examine

    findings: list[Finding] = []
    for finding in examine(sends=not no_send, timeout_s=timeout):
        findings.append(finding)
        if not as_json:
            _draw(finding)
    is_well = all(finding.state is not State.BAD for finding in findings)
    if as_json:
        say_json({"ok": is_well, "findings": [finding.as_json() for finding in findings]})
    elif not is_well:
        click.echo("\nWhat is marked XX keeps traces from arriving.")
    sys.exit(exits.DONE if is_well else exits.NOT_WELL)


def _draw(finding: Finding) -> None:
    from rich.console import Console
    from rich.text import Text

    from .output import shown

    console = Console(highlight=False, markup=False, emoji=False)
    sign, style = SIGNS[finding.state]
    for lead, lines in (
        ((f"{sign}  ", style), _lines(finding.text)),
        (("    -> ", "dim"), _lines(finding.cure)),
    ):
        for at, line in enumerate(lines):
            text = Text(shown(line))
            indent = len(lead[0])
            for number, wrapped in enumerate(text.wrap(console, max(20, console.width - indent))):
                first = at == number == 0
                console.print(
                    Text.assemble(lead if first else " " * indent, wrapped), no_wrap=True, crop=False
                )


def _lines(text: str) -> Iterable[str]:
    return text.splitlines()
