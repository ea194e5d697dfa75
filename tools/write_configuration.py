"""The tables of every setting, from the docstrings of `instrument` and `Limits`, into docs/configuration.md.

python tools/write_configuration.py            write the page
python tools/write_configuration.py --check    fail if the committed page is not what they say
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import runspan
from generated import main
from runspan.config import VARIABLES

PAGE = "docs/configuration.md"


def table() -> str:
    return "\n".join((*_lines("option", runspan.instrument), "", *_lines("of `Limits`", runspan.Limits)))


def _lines(title: str, of: Callable[..., Any]) -> Iterator[str]:
    yield f"| {title} | variable | default | |"
    yield "|---|---|---|---|"
    texts = documented(of)
    for name, parameter in inspect.signature(of).parameters.items():
        variable = f"`{VARIABLES[name]}`" if name in VARIABLES else ""
        yield f"| `{name}` | {variable} | {_default(parameter.default)} | {texts[name]} |"


def documented(of: Callable[..., Any]) -> dict[str, str]:
    """What the `Args:` of its docstring say of each parameter."""
    arguments = inspect.cleandoc(of.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0]
    found = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", arguments, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _default(value: Any) -> str:
    if value is None or isinstance(value, runspan.Limits):
        return ""
    return f"`{value:_}`" if type(value) is int else f"`{value!r}`"


if __name__ == "__main__":
    sys.exit(main(PAGE, "settings", table()))
