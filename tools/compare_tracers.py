"""`make compare-tracers`: what tracers make of background Responses: one program, one fake, each in an environment of its own.

    python tools/compare_tracers.py             all, and writes docs/contributing/compared-responses.md
    python tools/compare_tracers.py logfire     one, printed

The newest version of each is installed when its environment is made; delete `.venvs/compare-*` to compare anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from comparing.program import COLUMNS, POLL_S, polled
from matrix import ROOT, Environment, installed, prepared
from runspan.fake import Server, serve
from runspan.fake.responses import Ending, Message, Scenario, Usage

PROGRAM = Path(__file__).parent / "comparing" / "program.py"
PAGE = ROOT / "docs" / "contributing" / "compared-responses.md"
PACKAGES = {
    "runspan": "runspan",
    "genai-openai": "opentelemetry-instrumentation-genai-openai",
    "openinference": "openinference-instrumentation-openai",
    "openllmetry": "opentelemetry-instrumentation-openai",
    "logfire": "logfire",
    "langfuse": "langfuse",
}
ANSWER = "It is forty-two."
QUEUE_S, ACTIVE_S = 0.25, 0.75
USAGE = Usage(100, 30)
GOOD = Scenario((Message(ANSWER, seconds=ACTIVE_S),), queue_s=QUEUE_S, usage=USAGE)
SCENARIOS = {
    "polled": GOOD,
    "streamed": GOOD,
    "cut, then resumed": GOOD.but(cuts=(6,)),
    "failed": GOOD.but(ending=Ending("failed", code="server_error", message="Sorry.", open_item=True)),
    "second reader": GOOD,
}
# Each convention's name for the tokens read.
INPUT_TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
LANGFUSE_USAGE = "langfuse.observation.usage_details"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the spans of one program say about its response."""

    spans: int
    seconds: float  # the longest of them
    tokens: int  # read, over all spans
    answers: int  # spans that have the text
    errors: int

    def is_right(self, column: str) -> bool:
        if column == "second reader":
            return self.tokens == 0
        truth = QUEUE_S + ACTIVE_S
        once = self.spans == 1 and truth - 0.05 <= self.seconds <= truth + POLL_S + 0.1
        if column == "failed":
            return once and self.errors == 1
        return once and self.errors == 0 and self.tokens == USAGE.input_tokens and self.answers == 1

    def __str__(self) -> str:
        if not self.spans:
            return "no span"
        counted = "usage nowhere" if not self.tokens else f"usage x{self.tokens / USAGE.input_tokens:g}"
        said = (
            "no output" if not self.answers else "output" if self.answers == 1 else f"output x{self.answers}"
        )
        spans = "1 span" if self.spans == 1 else f"{self.spans} spans"
        error = f", {self.errors} ERROR" if self.errors else ""
        return f"{spans}, longest {self.seconds:.2f} s, {counted}, {said}{error}"


def main(asked: list[str]) -> int:
    rows: dict[str, dict[str, Facts] | str] = {}
    versions: dict[str, str] = {}
    for name in asked or PACKAGES:
        print(f"{name} ...", flush=True)
        try:
            python = prepared(Environment(f"compare-{name}", _requirements(name)), group="")
        except subprocess.CalledProcessError as error:
            rows[name] = f"SKIPPED: pip ended with {error.returncode}"
            continue
        found = installed(python)
        versions[name] = f"{found[PACKAGES[name]]} with openai {found['openai']}"
        rows[name] = {column: _run(python, name, column) for column in COLUMNS}
    text = table(rows, versions)
    print(f"\n{text}")
    if not asked:
        PAGE.write_text(page(text))
    return 0 if all(not isinstance(row, str) for row in rows.values()) else 1


def _requirements(name: str) -> tuple[str, ...]:
    return ("openai>=3,<4",) if name == "runspan" else ("openai>=3,<4", PACKAGES[name])


def _run(python: str, tracer: str, column: str) -> Facts:
    with serve(responses=SCENARIOS[column]) as server:
        more = [_over(server)] if column == "second reader" else []
        command = [python, "-W", "ignore", str(PROGRAM), tracer, column, server.base_url, *more]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{tracer}, {column}: {done.stderr[-2000:]}")
    return facts(json.loads(done.stdout.splitlines()[-1])["spans"])


def _over(server: Server) -> str:
    """A response that another process made and read to its end."""
    from openai import OpenAI

    with OpenAI(base_url=server.base_url, api_key="none") as client:
        return polled(client)


def facts(spans: list[Any]) -> Facts:
    return Facts(
        len(spans),
        max((span["seconds"] for span in spans), default=0.0),
        sum(map(_tokens, spans)),
        sum(ANSWER in json.dumps([span["attributes"], span["events"]]) for span in spans),
        sum(span["error"] for span in spans),
    )


def _tokens(span: Any) -> int:
    attributes = span["attributes"]
    if LANGFUSE_USAGE in attributes:
        usage = json.loads(attributes[LANGFUSE_USAGE])
        return int(usage.get("input", usage.get("input_tokens", 0)))
    return next((int(attributes[name]) for name in INPUT_TOKENS if name in attributes), 0)


def table(rows: dict[str, dict[str, Facts] | str], versions: dict[str, str]) -> str:
    lines = [f"| tracer | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, row in rows.items():
        if isinstance(row, str):
            lines.append(f"| {name} | {row} |" + " |" * (len(COLUMNS) - 1))
            continue
        cells = [f"{'right: ' if row[one].is_right(one) else ''}{row[one]}" for one in COLUMNS]
        lines.append(f"| {name} {versions[name]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    return f"""# Background Responses in other tracers

Of the tracers that were tried, only runspan records a background Response as one span with usage and output in each case below.

Written by `make compare-tracers` on {date.today().isoformat()}. One program (`tools/comparing/program.py`)
runs under each tracer, each in an environment of its own with its newest version, set up as its own documentation
says, with contents recorded. The server is `runspan.fake`: a response waits {QUEUE_S:g} s in the queue, runs for
{ACTIVE_S:g} s, reads {USAGE.input_tokens} tokens and writes {USAGE.output_tokens}. The app polls every {POLL_S:g} s.

A cell counts the spans below the app's own span, and says how long the longest lasts, how often the usage is counted (x1: once),
and how many spans have the answer's text. **Right** means: one span that lasts from the request to the end of the response (1 s,
plus at most one interval between polls) with usage and output once; ERROR where the response failed; usage not
counted again when a second process reads a response that has ended.

{text}
Responses that do not run in the background are not compared here: runspan leaves them to other tracers by default.
"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
