"""Coverage-guided fuzzing of adapters, lifecycle, assembly and conventions: bytes -> observations -> spans -> attributes.

    python tools/fuzzing/guided.py SECONDS [CORPUS]

Run by `make fuzz` in an environment of its own (atheris). Seeds are made in CORPUS from the recordings, read in place; nothing of
them is kept in the project. A crash or a broken promise ends it with a traceback and the input that did it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

with atheris.instrument_imports(include=["runspan"]):
    from runspan.adapters import sse, wire
    from runspan.adapters.assistants import Exchange, match, read_event, texts_of_delta
    from runspan.conventions import attributes_of, genai
    from runspan.core import assembly, lifecycle, thread
    from runspan.core.model import RunKey, Server, SpanData
    from runspan.core.redact import Texts
    from runspan.runtime.records import decode

SERVER = Server("http://api.test/v1", "api.test", 443, "openai")
TEXTS = Texts(True, None, 400, lambda error: None)
MAX_CHARS = 2_000
S = 1_000_000_000


def one_input(data: bytes) -> None:
    """Lines of an input: `METHOD path JSON-answer`, or `event name JSON-data`; the first Run in it is ours."""
    state: lifecycle.RunState | None = None
    log = thread.ThreadLog()
    now_ns = 0
    for line in data.split(b"\n")[:60]:
        kind, _, rest = line.partition(b" ")
        what, _, payload = rest.partition(b" ")
        answer = decode(payload)
        now_ns += S
        seen = _read(kind.decode("latin-1"), what.decode("latin-1"), answer, now_ns)
        if seen is None:
            continue
        log = thread.record(log, seen)
        if state is None and seen.runs:
            run = seen.runs[0]
            key = RunKey(SERVER.base_url, run.thread_id, run.id)
            state = lifecycle.RunState(
                key=key,
                server=SERVER,
                request=wire.run_request(answer, True),
                request_ns=0,
                response_ns=S,
                run=run,
            )
        if state is not None:
            was_over = state.is_over
            state = lifecycle.advance(state, seen)
            assert state.is_over >= was_over
    list(sse.Parser().feed(data))
    if state is not None:
        _check(assembly.assemble(state, log, None, TEXTS, unfinished=None if state.is_over else "shutdown"))


def _read(kind: str, what: str, answer: Any, now_ns: int) -> Any:
    if kind == "event":
        list(texts_of_delta(answer))
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


def main() -> None:
    seconds, *corpus = sys.argv[1:]
    folder = Path(corpus[0] if corpus else tempfile.mkdtemp(prefix="runspan-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{seeds(folder)} seeds from recordings; {seconds} s", flush=True)
    options = [
        f"-max_total_time={seconds}",
        "-max_len=60000",
        "-timeout=20",
        "-rss_limit_mb=3000",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(folder)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
