"""The table of every setting, from the fields of `Config`, into docs/configuration.md.

python tools/write_configuration.py            write the page
python tools/write_configuration.py --check    fail if the committed page is not what `Config` says
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any

from generated import main
from runspan.config import Config

PAGE = "docs/configuration.md"


def table() -> str:
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "| option | variable | default | |"
    yield "|---|---|---|---|"
    for setting in fields(Config):
        variable = setting.metadata["env"]
        yield f"| `{setting.name}` | {f'`{variable}`' if variable else ''} | {_default(setting)} | {setting.metadata['doc']} |"


def _default(setting: Field[Any]) -> str:
    value = setting.default
    if value is None:
        return ""
    return f"`{value:_}`" if type(value) is int else f"`{value!r}`"


if __name__ == "__main__":
    sys.exit(main(PAGE, "settings", table()))
