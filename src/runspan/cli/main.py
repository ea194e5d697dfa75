"""The `runspan` command: which command is meant, and how it ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import exits
from .app import App

if TYPE_CHECKING:
    import click


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; `arguments` without the program's name, by default those of this process."""
    ended = _command(arguments)
    if isinstance(ended, int):
        return ended
    from .launch import launch

    return launch(ended)  # outside of click: the app's exceptions and exits reach the interpreter as they are


def _command(arguments: Sequence[str] | None) -> int | App:
    """An exit code, or the app that `runspan run` is to start."""
    import click

    from .group import cli

    try:
        ended = cli.main(arguments, prog_name="runspan", standalone_mode=False)
    except click.ClickException as error:
        _say(error)
        return error.exit_code
    except OSError as error:  # such as a full disk behind standard output
        from .output import Problem, reason

        _say(Problem(f"{error.filename}: {reason(error)}" if error.filename else reason(error)))
        return exits.USAGE
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("\n")
        return exits.INTERRUPTED
    return ended if isinstance(ended, App | int) else exits.DONE


def _say(error: click.ClickException) -> None:
    """In one line; click would put the usage before it."""
    from ..viewer.text import neutral

    context, message = getattr(error, "ctx", None), error.format_message()
    if "\n" in message:  # the help, where no command was given
        error.show()
        return
    more = f" (see {context.command_path} --help)" if context else ""
    sys.stderr.write(f"Error: {neutral(message)}{more}\n")


if __name__ == "__main__":
    sys.exit(main())
