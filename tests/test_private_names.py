"""Private names of other packages: in one module, not more than there are, and each may disappear."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from runspan import _compat
from runspan.fake import SimulatedClock, serve
from tests.support.children import environment, run
from tests.support.slices import few
from tests.support.sources import SOURCE, tree_of


@cache
def trees() -> dict[str, ast.Module]:
    files = sorted(path for path in SOURCE.rglob("*.py") if path.name != "_compat.py")
    return {str(path.relative_to(SOURCE)): tree_of(path) for path in files}


# Underscores that their owners document: fields of named tuples and members of enums.
DOCUMENTED = {"_fields", "_replace", "_asdict", "_name_", "_value_"}
# Attributes of functions, classes and code that a program may read, and no surgery.
DUNDERS = {"__code__", "__globals__", "__closure__", "__defaults__", "__kwdefaults__", "__bases__"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("_") and name not in DOCUMENTED


@cache
def defined() -> set[str]:
    """Private names that our own code makes: functions, classes, variables, arguments, attributes of `self`."""
    found: set[str] = set()
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and of_self(node):
                found.add(node.attr)
            elif isinstance(node, ast.Assign) and any(
                getattr(t, "id", "") == "__slots__" for t in node.targets
            ):
                found |= {c.value for c in ast.walk(node.value) if isinstance(c, ast.Constant)}
    return found


def of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


OTHERS = re.compile(
    r"(openai|opentelemetry|wrapt|httpx|grpc|requests|concurrent|asyncio|threading|msgspec)\b[\w.]*\._[a-z]\w*"
)


def foreign(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (is_private(node.attr) or node.attr in DUNDERS):
            if node.attr not in defined():
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for part in (*(node.module or "").split("."), *(alias.name for alias in node.names)):
                if is_private(part) and not part.startswith("__"):
                    yield node.lineno, f"from {node.module} import {part}"
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names if any(map(is_private, a.name.split("."))))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "getattr",
            "hasattr",
            "setattr",
            "delattr",
        ):
            for name in (
                a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
            ):
                if is_private(name) and not name.startswith("__") and name not in defined():
                    yield node.lineno, f"getattr(..., {name!r})"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and OTHERS.fullmatch(node.value):
            yield node.lineno, repr(node.value)


def test_no_other_module_says_a_private_name_of_another_package() -> None:
    found = [(path, *one) for path, tree in trees().items() for one in foreign(tree)]
    assert found == []


def test_the_test_itself_sees_them() -> None:
    code = """
import openai._base_client
from opentelemetry import _logs
from opentelemetry.context import _RUNTIME_CONTEXT
exporter._client = 1
getattr(client, "_custom_headers")
function.__code__
TARGET = "openai._base_client"
self._of_another
"""
    assert [line for line, _ in foreign(ast.parse(code))] == [2, 3, 4, 5, 6, 7, 8, 9]


MOST = 19  # eight of them copy the settings of a client and its transport; a new one needs a reason, one less lowers this


def test_there_are_no_more_of_them() -> None:
    names = {n.rpartition(".")[2] for n in _compat.WITHOUT}
    tree = tree_of(SOURCE / "_compat.py")
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and is_private(n.attr)}
    used |= {
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and re.fullmatch(r"_[a-z]\w*", str(n.value))
    }
    assert len(names | used) <= MOST, names | used


# ---------------------------------------------------------------- each taken away

SCRIPT = """
import importlib.abc, importlib.machinery, json, logging, os, sys, traceback

import openai, opentelemetry.context, opentelemetry._logs, opentelemetry.sdk.trace.export, wrapt  # warm, without runspan
import openai.lib.streaming
import opentelemetry.exporter.otlp.proto.http.metric_exporter, opentelemetry.sdk.metrics, asyncio

for kind in (openai.OpenAI, openai.AsyncOpenAI):
    client = kind(api_key="none")
    client.beta.threads.runs, client.beta.threads.messages, client.beta.assistants, client.files, client.chat.completions

def take_away(full_name):
    owner, _, name = full_name.rpartition(".")
    if full_name in sys.modules:  # a module: nobody finds it but its own package
        real = sys.modules.pop(full_name)
        delattr(sys.modules[owner], name)
        class Gone(importlib.abc.MetaPathFinder, importlib.abc.Loader):
            def find_spec(self, fullname, path=None, target=None):
                if fullname == full_name:
                    frames = (frame.filename for frame in traceback.extract_stack())
                    if not any("importlib" not in f and "/" + owner + "/" in f for f in frames):
                        raise ModuleNotFoundError(fullname)
                    return importlib.machinery.ModuleSpec(fullname, self)
            def create_module(self, spec):
                return real
            def exec_module(self, module): ...
        sys.meta_path.insert(0, Gone())
    elif owner in sys.modules:
        hide_in_module(sys.modules[owner], name)
    else:
        hide(owner, name)

def is_asked_by_us():
    return sys._getframe(2).f_globals.get("__name__", "").startswith("runspan")

def hide_in_module(real, hidden):
    # Its own package still finds it, as if it were called otherwise there.
    class Without(type(real)):
        def __getattr__(self, name):
            if name.startswith("__") or name == hidden and is_asked_by_us():
                raise AttributeError(name)
            return getattr(real, name)
    without = Without(real.__name__)
    without.__path__, without.__spec__ = getattr(real, "__path__", []), real.__spec__
    sys.modules[real.__name__] = without
    package, _, name = real.__name__.rpartition(".")
    if package:
        setattr(sys.modules[package], name, without)

def hide(owner, name):
    # An attribute of instances, the same way.
    module, _, kind = owner.rpartition(".")
    module = "httpx2" if module == "httpx" and module not in sys.modules else module
    cls = getattr(sys.modules[module], kind)
    if kind == "Future":
        cls = asyncio.futures._PyFuture
    own = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == module.partition(".")[0]]
    def getattribute(self, wanted, real=object.__getattribute__):
        if wanted == name and is_asked_by_us():
            raise AttributeError(name)
        return real(self, wanted)
    own[-1].__getattribute__ = getattribute

def scenario():
    class Told(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())
            assert record.exc_info is None
    lines = []
    logging.getLogger().addHandler(Told())
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    import runspan
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    handle = runspan.instrument(tracer_provider=provider, linger_s=0.05)

    @runspan.observe
    def plain():
        return 1

    @runspan.observe
    def future():
        done = asyncio.futures._PyFuture()
        done.set_result(2)
        return done

    async def asynchronous():
        assert await future() == 2
        async with openai.AsyncOpenAI(api_key="none", base_url=os.environ["BASE"]) as client:
            return (await client.beta.assistants.create(model="gpt-4o")).id

    assert plain() == 1
    assert asyncio.run(asynchronous())
    client = openai.OpenAI(api_key="none", base_url=os.environ["BASE"], default_headers={"x-key": "k"})
    assistant = client.beta.assistants.create(model="gpt-4o", name="Tutor")
    messages = [{"role": "user", "content": "Hi?"}]
    with runspan.span("work"):
        thread = client.beta.threads.create(messages=messages)
        run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=10)
        assert run.status == "completed"
        client.beta.threads.messages.list(thread.id)
        file = client.files.create(file=("a.txt", b"a"), purpose="assistants")
        client.files.wait_for_processing(file.id, poll_interval=0.01)
        runspan.score("good", True, run_id=run.id)
    stream = client.beta.threads.create_and_run(assistant_id=assistant.id, thread={"messages": messages}, stream=True)
    assert list(stream)
    try:
        client.beta.threads.runs.retrieve("run_none", thread_id="thread_none")
    except openai.NotFoundError:
        pass
    assert handle.flush(30)
    return {
        # A score is an event of its run, or a span where the run is over by then.
        "spans": sorted(span.name.split()[0] for span in exporter.get_finished_spans() if span.name != "score good"),
        "degraded": handle.stats().degraded,
        "errors": dict(handle.stats().errors),
        "lines": lines,
    }

for full_name in json.loads(os.environ["NAMES"]):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if full_name:
                take_away(full_name)
            result = scenario()
        except BaseException:
            result = {"raised": traceback.format_exc()}
        os.write(write, json.dumps(result).encode())
        os._exit(0)
    os.close(write)
    with open(read) as told:
        print(told.read(), flush=True)
    os.waitpid(child, 0)
"""

# Of objects that others made: wrapt's classes are written in C, and exporters are looked at where the launcher made them.
UNTOLD = {
    name
    for name in _compat.WITHOUT
    if name.startswith("wrapt.") or name.endswith("OTLPSpanExporter._endpoint")
}
NAMES = ("", *(name for name in _compat.WITHOUT if name not in UNTOLD))
FEW = NAMES[::5]  # each takes a whole scenario


@cache
def results(names: tuple[str, ...]) -> dict[str, dict[str, object]]:
    with serve(clock=SimulatedClock()) as server:
        ended = run(SCRIPT, environment(BASE=server.base_url, NAMES=json.dumps(names)), strict=False)
    assert ended.code == 0, ended.err
    return dict(zip(names, map(json.loads, ended.out.splitlines()), strict=True))


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
@pytest.mark.parametrize("name", few(NAMES, FEW.__contains__), ids=lambda name: name or "none")
def test_without_it_the_app_and_its_traces_go_on(name: str) -> None:
    found = results(FEW if name in FEW else ("", *(n for n in NAMES if n not in FEW)))
    result, whole = found[name], found[""]
    assert "raised" not in result, result["raised"]
    assert result["errors"] == {}
    spans = result["spans"]
    assert isinstance(spans, list)
    assert (spans.count("invoke_agent"), spans.count("chat"), spans.count("plain")) == (2, 2, 1)
    if name == "openai.resources.Files._client":
        whole = {**whole, "spans": [s for s in whole["spans"] if s != "wait_for_processing"]}  # type: ignore[attr-defined]
    assert spans == whole["spans"] or "_logs" in name
    degraded, lines = result["degraded"], result["lines"]
    assert degraded == ([f"{name}: {_compat.WITHOUT[name]}"] if name else [])
    assert [name in str(line) for line in lines if "runspan: this version" in str(line)] == [True] * bool(
        name
    )  # type: ignore[attr-defined]
    assert "Traceback" not in str(lines)


def test_a_wrapper_without_them_is_taken_as_it_is() -> None:
    wrapper = object()
    assert (_compat.wrapper_in(wrapper), _compat.parent_of(wrapper)) == (wrapper, None)
