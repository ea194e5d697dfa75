"""`make test-matrix`: the end-to-end tests on each supported `openai`, and those with neighbours of ours, as a table.

The oldest client runs with the oldest supported OpenTelemetry and wrapt, so both ends of every pinned range are tested.
Neighbours are what else may be in an app's process. ddtrace patches its whole process, so each has an environment of its own.
Environments are kept in `.venvs/`; delete the folder to make them anew.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import venv
from dataclasses import dataclass

from processes import ROOT
from table import columns, counted


@dataclass(frozen=True)
class Environment:
    name: str
    requirements: tuple[str, ...]
    tests: tuple[str, ...] = ("tests/e2e", "tests/apis", "tests/fake", "tests/privacy")
    extras: str = ""  # of runspan itself


NEWEST = "openai>=3,<4"
NEIGHBOURS = "tests/setup/test_other_instrumentations.py"
FOREIGN_PROVIDERS = ("tests/setup/test_foreign_providers.py", "tests/setup/test_foreign_observe.py")
LOGFIRE = "logfire==5.2.0"
OPENINFERENCE = "openinference-instrumentation-openai==0.1.66"
OPENLLMETRY = "opentelemetry-instrumentation-openai==0.62.4"


def neighbour(name: str, *requirements: str, tests: str | None = None) -> Environment:
    return Environment(name, (NEWEST, *requirements), (NEIGHBOURS, "-k", tests or name))


AZURE = ("aiohttp>=3.12,<4", "azure-core-tracing-opentelemetry==1.0.0b12")
OLDEST_OTEL = tuple(f"opentelemetry-{part}==1.39.0" for part in ("api", "sdk", "exporter-otlp"))
ENVIRONMENTS = (
    Environment("1.30.5", ("openai==1.30.5", "httpx<0.28", "wrapt==1.16.0", *OLDEST_OTEL)),
    Environment("1.109.1", ("openai==1.109.1",)),
    Environment("2.54.0", ("openai==2.54.0",)),
    Environment("newest 3.x", (NEWEST,)),
    Environment("logfire", (NEWEST, LOGFIRE), (*FOREIGN_PROVIDERS, NEIGHBOURS, "-k", "logfire")),
    Environment("ddtrace", (NEWEST, "ddtrace==4.16.0"), (*FOREIGN_PROVIDERS, "-k", "ddtrace")),
    neighbour("openinference", OPENINFERENCE),
    neighbour("openllmetry", OPENLLMETRY),
    neighbour("agentops", "agentops==0.4.21"),
    neighbour("genai-openai", "opentelemetry-instrumentation-genai-openai==1.3b0", tests="official"),
    neighbour("neighbours", LOGFIRE, OPENINFERENCE, OPENLLMETRY, tests="two_of_them"),
    Environment("azure-ai-agents", (NEWEST, "azure-ai-agents>=1.1,<1.2", *AZURE), ("tests/azure",)),
    Environment("oldest azure", (NEWEST, "azure-ai-agents==1.0.0", *AZURE), ("tests/azure",)),
    Environment(  # what stands around the client in an app; the doubles of its transport know httpx only
        "companions",
        ("openai==2.54.0", "langchain-classic==1.0.8", "langchain-community==0.4.2", "pytest-httpx==0.36.2", "respx==0.23.1",
         "tenacity==9.2.1"),
        ("tests/e2e/test_companions.py",),
    ),
    Environment(
        "redaction",
        (NEWEST, "presidio-analyzer==2.2.366", "presidio-anonymizer==2.2.366", "pyyaml>=6,<7"),
        ("tests/docs/test_python.py", "-k", "privacy"),
    ),
    Environment("arrays", (NEWEST, "numpy>=2,<3", "pandas>=2.2,<4"), ("tests/observing/test_arrays.py",)),
    Environment("pyright", (NEWEST, "mypy>=1.18,<3", "pyright>=1.1.400,<2"), ("tests/observing/test_typing.py",)),
    Environment(
        "zero-code",
        (NEWEST, "opentelemetry-distro==0.66b1", "opentelemetry-instrumentation==0.66b1"),
        ("tests/setup/test_zero_code.py",),
        "[ui]",
    ),
    Environment(
        "oldest others",
        (NEWEST, "genai-prices==0.1.13", "grpcio==1.63.2", "jinja2==3.1.0", "markdown-it-py==3.0.0", "markupsafe==2.1.0",
         "msgspec==0.19.0", "nh3==0.3.0", "requests==2.31.0", "starlette==0.41.0", "uvicorn==0.30.0"),
        ("tests/core", "tests/clients", "tests/observing", "tests/viewer", "tests/test_pricing.py", "-m", "not wide",
         "--ignore=tests/observing/test_typing.py"),  # types are those of the newest msgspec
    ),
    Environment(  # the runner in click.testing is another one there, so those that start processes
        "oldest click", (NEWEST, "click==8.1.0"), ("tests/cli/test_main.py", "tests/cli/test_run.py")
    ),
)  # fmt: skip
# Beside what the environment asks for.
ALWAYS_SHOWN = ("httpx", "httpx2", "opentelemetry-sdk", "wrapt", "pydantic")
HEAD = ("environment", "openai", "with", "passed", "failed", "skipped", "seconds")


def main(wanted: list[str]) -> int:
    rows = [run(e) for e in ENVIRONMENTS if not wanted or e.name in wanted]
    print("\n" + columns(HEAD, *rows))
    return 0 if all(row[3] and not row[4] for row in rows) else 1


def run(environment: Environment) -> tuple[str, str, str, int, int, int, int]:
    python = prepared(environment)
    print(f"{environment.name} ...", flush=True)
    started = time.monotonic()
    command = [python, "-m", "pytest", "-n", "auto", "--tb=short", *environment.tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode:
        print("\n".join(lines[-60:]), done.stderr[-2000:])
    counts = counted(done.stdout)
    failed = counts["failed"] or int(done.returncode != 0)
    seconds = round(time.monotonic() - started)
    versions = installed(python)
    named = dict.fromkeys(re.split(r"[<>=]", one)[0] for one in (*environment.requirements, *ALWAYS_SHOWN))
    others = ", ".join(f"{name} {versions[name]}" for name in named if name in versions and name != "openai")
    return environment.name, versions["openai"], others, counts["passed"], failed, counts["skipped"], seconds


def prepared(environment: Environment, group: str = "test") -> str:
    """The interpreter of an environment with everything in it, made when it is not there. `group`: of pyproject.toml, or none."""
    folder = ROOT / ".venvs" / environment.name.replace(" ", "-")
    python = str(folder / "bin" / "python")
    ready = folder / ".ready"
    wanted = "\n".join((*environment.requirements, environment.extras, group))
    if not ready.exists() or ready.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "pip>=25.1"], check=True)  # an older one knows no groups
        tools = ("--group", group) if group else ()
        subprocess.run(
            [*install, *environment.requirements, *tools, "-e", f"{ROOT}{environment.extras}"],
            check=True,
            cwd=ROOT,
        )
        ready.write_text(wanted)
    return python


def installed(python: str) -> dict[str, str]:
    listed = subprocess.check_output([python, "-m", "pip", "list", "--format=json"], text=True)
    return {one["name"].lower(): one["version"] for one in json.loads(listed)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
