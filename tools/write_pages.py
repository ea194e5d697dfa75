"""Writes the parts of docs pages that come from code, between `<!-- NAME: ... -->` and `<!-- end of NAME -->`.

python tools/write_pages.py            write the pages
python tools/write_pages.py --check    fail if a committed page is not what the code says
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

import runspan
from runspan.apis.assistants import statuses
from runspan.apis.objects import ENDS_IN_OTHER_WORDS as OTHERS
from runspan.cli import exits
from runspan.cli.group import COMMANDS, cli
from runspan.config import VARIABLES
from runspan.conventions import EXTRAS
from runspan.core.lifecycle import BACK, FORWARD
from runspan.core.model import Phase
from runspan.presets import PRESETS

DOCS = Path(__file__).resolve().parent.parent / "docs"
HELP_WIDTH = 100


def commands() -> Iterator[str]:
    """A section for each command of `runspan`, then the exit codes."""
    top = click.Context(cli, info_name="runspan", terminal_width=HELP_WIDTH, max_content_width=HELP_WIDTH)
    for name in COMMANDS:
        command = cli.get_command(top, name)
        assert command is not None
        given = click.Context(command, parent=top, info_name=name, **(command.context_settings or {}))
        text = "\n".join(line.rstrip() for line in command.get_help(given).splitlines())
        yield f"## runspan {name}\n\n```text\n{text}\n```\n"
    yield "## Exit codes\n\n`runspan run` ends as the app does.\n\n| | |\n|---|---|"
    yield from (f"| {code} | {meaning} |" for code, meaning in exits.MEANINGS.items())


def settings() -> Iterator[str]:
    """The options of `instrument` and the fields of `Limits`, by their docstrings."""
    yield from _settings("option", runspan.instrument)
    yield ""
    yield from _settings("of `Limits`", runspan.Limits)


def _settings(title: str, of: Callable[..., Any]) -> Iterator[str]:
    yield f"| {title} | variable | default | |\n|---|---|---|---|"
    arguments = inspect.cleandoc(of.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0]
    texts = dict(re.findall(r"^    (\w+): (.*(?:\n        .*)*)", arguments, re.MULTILINE))
    for name, parameter in inspect.signature(of).parameters.items():
        variable = f"`{VARIABLES[name]}`" if name in VARIABLES else ""
        yield f"| `{name}` | {variable} | {_default(parameter.default)} | {' '.join(texts[name].split())} |"


def _default(value: Any) -> str:
    if value is None or isinstance(value, runspan.Limits):
        return ""
    return f"`{value:_}`" if type(value) is int else f"`{value!r}`"


def presets() -> Iterator[str]:
    yield "| `backend=` | where to | must be set | may be set | over | extra attributes | `trace_url` |"
    yield "|---|---|---|---|---|---|---|"
    for name, preset in PRESETS.items():
        default = f"`{preset.default}`" if preset.default else "the region of the token"
        where = f"{_names(preset.hosts)}, else {default}{preset.path and f', then `{preset.path}`'}"
        where = where if preset.hosts else "the `OTEL_*` variables"
        over, page = "HTTP, gRPC" if preset.takes_grpc else "HTTP", "yes |" if preset.page else "|"
        extra = "yes" if name in EXTRAS else ""
        yield f"| `{name}` | {where} | {_names(preset.needs)} | {_names(preset.optional)} | {over} | {extra} | {page}"


def _names(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def lifecycle() -> Iterator[str]:
    """The life of a Run as a Mermaid diagram."""
    yield "```mermaid\nstateDiagram-v2"
    for phase in Phase:
        words = ", ".join(
            status for status, (of, _) in statuses.RUN.items() if of is phase and status not in OTHERS
        )
        yield f"    {phase.value}: {phase.value}{f' ({words})' if words and words != phase.value else ''}"
    yield f"    [*] --> {Phase.REQUESTED.value}"
    for table, note in ((FORWARD, ""), (BACK, ": requested later")):
        for at, to_all in table.items():
            yield from (
                f"    {at.value} --> {to.value}{note}" for to in sorted(to_all, key=list(Phase).index)
            )
    yield f"    {Phase.OVER.value} --> [*]\n```"


PAGES = (  # page, name of the part, what makes it
    *(("cli", "cli", commands), ("configuration", "settings", settings)),
    *(("presets", "presets", presets), ("contributing/states", "lifecycle", lifecycle)),
)


def main(arguments: list[str]) -> int:
    is_stale = False
    for page, name, part in PAGES:
        path, text = DOCS / f"{page}.md", "\n".join(part())
        old = path.read_text("utf-8")
        pattern = rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end of {name} -->)"
        new, count = re.subn(pattern, lambda m, text=text: f"{m[1]}{text}\n{m[2]}", old, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(
                f"{page}.md must have one place '<!-- {name}: ... -->' to '<!-- end of {name} -->'"
            )
        if new != old:
            is_stale = True
            if "--check" in arguments:
                print(f"docs/{page}.md is out of date: run tools/write_pages.py")
            else:
                path.write_text(new, "utf-8")
                print(f"updated docs/{page}.md")
    return int(is_stale and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
