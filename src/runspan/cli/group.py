"""The commands by name, each imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword

import click

from . import exits
from .output import did_you_mean

COMMANDS = (  # in the order of the help
    *("demo", "ui", "run", "tree", "stats", "replay", "import", "export", "doctor", "fake"),
)

CODES = "\n".join(f"  {code:<5} {meaning}" for code, meaning in exits.MEANINGS.items())
HELP = f"""See every run of an assistant as one trace, on your own machine.

\b
Begin with:
  runspan demo          a page with example conversations; no key, no network
  runspan ui            a page for the traces of your own apps
  runspan run app.py    start an app traced, without changing it
  runspan doctor        when nothing arrives

\b
Exit codes (runspan run ends as the app does):
{CODES}
"""


class Commands(click.Group):
    """Files of this folder, each with its `command`: `runspan run` must not load a web server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = import_module(f"runspan.cli.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}.{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


cli = Commands(
    "runspan",
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Documentation of each command: runspan COMMAND --help",
)
click.version_option(package_name="runspan", message="%(package)s %(version)s")(cli)
