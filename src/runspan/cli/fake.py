"""`runspan fake`: the server that plays scenarios, for apps that are to be tried without a real one."""

from __future__ import annotations

import click

from ..fake import serve
from ..fake.dialects import DIALECTS
from ..fake.library import SCENARIOS
from ..fake.responses.library import SCENARIOS as RESPONSES
from . import exits
from .output import NO_LISTENING, Problem, reason, say_json
from .units import Port
from .waiting import stopping


@click.command(
    "fake",
    short_help="A fake server of both APIs.",
    epilog=f"Scenarios of runs: {', '.join(SCENARIOS)}. Of responses: {', '.join(RESPONSES)}. "
    f"Dialects: {', '.join(DIALECTS)}.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=Port(), default=0, show_default=True, help="Port; 0: a free one.")
@click.option(
    "--scenario",
    type=click.Choice(tuple(SCENARIOS)),
    metavar="NAME",
    default="default",
    show_default=True,
    help="What runs do. The header X-Fake-Scenario chooses another one for one run.",
)
@click.option(
    "--responses",
    type=click.Choice(tuple(RESPONSES)),
    metavar="NAME",
    default="default",
    show_default=True,
    help="What Responses do. The header chooses another one for one Response.",
)
@click.option(
    "--dialect",
    type=click.Choice(tuple(DIALECTS)),
    metavar="NAME",
    help="Answer as another server of the Assistants wire does.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON.")
def command(host: str, port: int, scenario: str, responses: str, dialect: str | None, as_json: bool) -> None:
    """Serve fake Assistants and Responses APIs until Ctrl-C: no key, no network, no costs.

    The first line of the output is its address.

    \b
    Examples:
      runspan fake --port 8700
      OPENAI_BASE_URL=http://127.0.0.1:8700/v1 OPENAI_API_KEY=none python app.py
      runspan fake --scenario failed --responses web_search
      runspan fake --dialect myla
    """
    try:
        with serve(scenario, responses=responses, dialect=dialect, host=host, port=port) as server:
            until_stopped = stopping()
            if as_json:
                say_json({"base_url": server.base_url})
            else:
                click.echo(server.base_url)
                click.echo(
                    f"OPENAI_BASE_URL={server.base_url} OPENAI_API_KEY=none    (Ctrl-C ends it)", err=True
                )
            until_stopped()
    except OSError as error:
        raise Problem(NO_LISTENING.format(f"{host}:{port}", reason(error)), exits.NOT_WELL) from None
