"""The help of every command of `runspan`, from the commands themselves, into docs/cli.md.

python tools/write_cli.py            write the page
python tools/write_cli.py --check    fail if the committed page is not what the commands say
"""

from __future__ import annotations

import sys

import click

from generated import main
from runspan.cli import exits
from runspan.cli.group import COMMANDS, cli

PAGE = "docs/cli.md"
WIDTH = 100


def helps() -> str:
    """A section for each command, then the exit codes."""
    parts = [f"## runspan {name}\n\n```text\n{_help(name)}\n```\n" for name in COMMANDS]
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in exits.MEANINGS.items())
    return "\n".join(
        [*parts, f"## Exit codes\n\n`runspan run` ends as the app does.\n\n| | |\n|---|---|\n{codes}"]
    )


def _help(name: str) -> str:
    top = click.Context(cli, info_name="runspan", terminal_width=WIDTH, max_content_width=WIDTH)
    command = cli.get_command(top, name)
    assert command is not None
    given = click.Context(command, parent=top, info_name=name, **(command.context_settings or {}))
    return "\n".join(line.rstrip() for line in command.get_help(given).splitlines())


if __name__ == "__main__":
    sys.exit(main(PAGE, "cli", helps()))
