"""mutmut as pyproject.toml sets it up, or for some files and by some tests only, which it has no options for."""

from __future__ import annotations

import sys

from mutmut.__main__ import cli
from mutmut.configuration import config


def main(jobs: str, files: str, tests: str) -> None:
    """`files` and `tests` as `make mutate` takes them; empty: all."""
    if files:
        config().only_mutate = [f"src/runspan/{each}" for each in files.split()]
    if tests:
        config().pytest_add_cli_args_test_selection = tests.split()
    cli(["run", "--max-children", jobs])


if __name__ == "__main__":
    main(*sys.argv[1:])
