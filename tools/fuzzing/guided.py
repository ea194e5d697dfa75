"""Coverage-guided fuzzing of apis, lifecycle, assembly and conventions: bytes -> observations -> spans -> attributes.

    python tools/fuzzing/guided.py SECONDS [FOLDER]

Run by `make fuzz` in an environment of its own (atheris). Seeds are made in FOLDER from the recordings, read in place; nothing of
them is kept in the project. A crash or a broken promise ends it with a traceback and the input that did it; else a table says what
was tried.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris
from msgspec.structs import replace

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

with atheris.instrument_imports(include=["runspan"]):
    from tools.fuzzing import figures
    from tools.fuzzing.mutate import MAX_LINES, mutated

    from runspan.apis.api import Exchange
    from runspan.apis.assistants import objects
    from runspan.apis.assistants.events import read_event, texts_of
    from runspan.apis.assistants.routes import match
    from runspan.conventions import attributes_of, genai
    from runspan.core import assembly, conversation, lifecycle, sse
    from runspan.core.model import RunKey, Server, SpanData, SpanKind, ToolFacts
    from runspan.core.redact import Texts
    from runspan.runtime.records import decode

SERVER = Server("http://api.test/v1", "api.test", 443, "openai")
TEXTS = Texts(True, None, 400, lambda error: None)
MAX_CHARS = 2_000
S = 1_000_000_000


def one_input(data: bytes) -> None:
    """Lines of an input: `METHOD path JSON-answer`, or `event name JSON-data`; the first Run in it is ours."""
    state: lifecycle.RunState | None = None
    log = conversation.Conversation()
    now_ns = 0
    for line in data.split(b"\n")[:MAX_LINES]:
        kind, _, rest = line.partition(b" ")
        what, _, payload = rest.partition(b" ")
        answer = decode(payload)
        now_ns += S
        seen = _read(kind.decode("latin-1"), what.decode("latin-1"), answer, now_ns)
        if seen is None:
            continue
        log = conversation.record(log, seen)
        if state is None and seen.runs:
            run = seen.runs[0]
            key = RunKey(SERVER.base_url, run.thread_id, run.id)
            state = lifecycle.RunState(
                key=key,
                server=SERVER,
                request=objects.run_request(answer, True),
                request_ns=0,
                response_ns=S,
                run=run,
            )
        if state is not None:
            state = _advanced(state, seen)
    list(sse.Parser().feed(data))
    if state is not None:
        span = assembly.assemble(state, log, None, TEXTS, unfinished=None if state.is_over else "shutdown")
        _check_tree(span, state)
        _check(span)


def _advanced(state: lifecycle.RunState, seen: Any) -> lifecycle.RunState:
    """What is over stays over as it ended; the same told twice is one; nothing grows without end."""
    after = lifecycle.advance(state, seen)
    assert after.is_over >= state.is_over
    assert not state.is_over or after.run.status == state.run.status
    again = lifecycle.advance(after, seen)
    assert replace(again, polls=0) == replace(after, polls=0)
    assert len(after.changes) <= lifecycle.MAX_CHANGES + 2
    assert len(after.rounds) <= lifecycle.MAX_CHANGES + 2
    return after


def _check_tree(span: SpanData, state: lifecycle.RunState) -> None:
    """One generation, each tool call once, the tokens once and as the Run says."""
    kinds = [child.kind for child in span.children]
    assert kinds.count(SpanKind.GENERATION) == 1
    calls = [child.facts.call.id for child in span.children if isinstance(child.facts, ToolFacts)]
    named = [call for call in calls if call]
    assert len(named) == len(set(named))
    for child in (span, *span.children):
        said = attributes_of(child, MAX_CHARS)
        counts = [said.get(f"gen_ai.usage.{way}_tokens") for way in ("input", "output")]
        usage = state.run.usage if child.kind is SpanKind.GENERATION else None
        assert counts == ([None, None] if usage is None else [usage.prompt_tokens, usage.completion_tokens])


def _read(kind: str, what: str, answer: Any, now_ns: int) -> Any:
    if kind == "event":
        list(texts_of(answer))
        return read_event(what, answer, now_ns)
    found = match(kind, what)
    if found is None:
        return None
    return found.route.read(Exchange(found, now_ns - S // 2, now_ns, answer, {}, answer))


def _check(span: SpanData, low: int | None = None, high: int | None = None) -> None:
    assert span.start_ns <= span.end_ns
    assert low is None or low <= span.start_ns
    assert high is None or span.end_ns <= high
    genai.name(span).encode()
    for key, value in attributes_of(span, MAX_CHARS).items():
        if isinstance(value, str):
            value.encode()
            assert len(value) <= MAX_CHARS, key
            if key in ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions"):
                json.loads(value)
    for child in span.children:
        _check(child, span.start_ns, span.end_ns)


def seeds(folder: Path) -> int:
    from tests.fuzz.seeds import tales

    for n, tale in enumerate(tales()):
        lines = [
            f"event {t.event} {json.dumps(t.answer)}"
            if t.event
            else f"{t.method} {t.path} {json.dumps(t.answer)}"
            for t in tale
        ]
        (folder / f"tale-{n}").write_text("\n".join(lines), encoding="utf-8")
    return len(tales())


def fuzz(seconds: str, folder: Path) -> None:
    options = [
        f"-max_total_time={seconds}",
        "-max_len=60000",
        "-timeout=20",
        "-rss_limit_mb=3000",
        "-print_final_stats=1",
    ]
    mutator = {"custom_mutator": lambda data, size, seed: mutated(data, size, seed, atheris.Mutate)}
    arguments = [sys.argv[0], *options, f"-artifact_prefix={folder}/crashes/", str(folder / "corpus")]
    atheris.Setup(arguments, one_input, **mutator)
    atheris.Fuzz()


def main() -> int:
    seconds, *more = sys.argv[1:]
    if more[1:]:  # the child that does it
        fuzz(seconds, Path(more[0]))
        return 0
    folder = Path(more[0] if more else tempfile.mkdtemp(prefix="runspan-fuzz-"))
    for part in ("corpus", "crashes"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    print(
        f"{seeds(folder / 'corpus')} seeds from recordings; {seconds} s; inputs are kept in {folder}",
        flush=True,
    )
    return figures.run([sys.executable, __file__, seconds, str(folder), "child"], folder)


if __name__ == "__main__":
    sys.exit(main())
