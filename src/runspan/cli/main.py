"""The `runspan` command: is what it needs installed, which command is meant, and how it ended.

Importable without the extra: then it says what to install.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from . import exits
from .app import App

NEEDED = (
    "click",
    "jinja2",
    "markupsafe",
    "packaging",
    "platformdirs",
    "rich",
    "starlette",
    "uvicorn",
)  # by runspan[ui]

INSTALL = """The runspan command needs its extra ({missing} not found). Install it:

    pip install 'runspan[ui]'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; `arguments` without the program's name, by default those of this process."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(INSTALL.format(missing=", ".join(missing)))
        return exits.NO_EXTRA
    ended = _command(arguments)
    if isinstance(ended, int):
        return ended
    from .launch import launch

    return launch(
        ended
    )  # outside of click, so that the app's exceptions and exits reach the interpreter as they are


def _command(arguments: Sequence[str] | None) -> int | App:
    """An exit code, or the app that `runspan run` is to start."""
    import click

    from .group import cli

    try:
        ended = cli.main(arguments, prog_name="runspan", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("\n")
        return exits.INTERRUPTED
    return ended if isinstance(ended, App | int) else exits.DONE


if __name__ == "__main__":
    sys.exit(main())
