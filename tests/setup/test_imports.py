"""What is imported when, each in a fresh interpreter."""

from __future__ import annotations

from textwrap import dedent

import pytest

from runspan.fake import serve
from tests.support import receiver as receivers
from tests.support.children import environment, run
from tests.support.otlp import run_ids

LOADED = (
    "print(sorted({'asyncio', 'openai', 'wrapt', 'opentelemetry', 'httpx', 'httpx2'} & set(sys.modules)))"
)


def test_import_runspan_imports_nothing_of_others() -> None:
    assert run(f"import sys, runspan; {LOADED}").check() == "[]\n"


def test_instrument_imports_neither_openai_nor_wrapt() -> None:
    assert run(f"import sys, runspan; runspan.instrument(); {LOADED}").check() == "['opentelemetry']\n"


def test_without_runs_uninstrument_imports_nothing_either() -> None:
    script = f"import sys, runspan; runspan.instrument(); runspan.flush(); runspan.uninstrument(); {LOADED}"
    assert run(script).check() == "['opentelemetry']\n"


ORDERS = {
    "openai imported later": "runspan.instrument(**how)\nimport openai\nfrom tests.support import app",
    "openai imported before": "import openai\nfrom tests.support import app\nrunspan.instrument(**how)",
    "a client made before": "from tests.support import app\nclient = app.client()\nrunspan.instrument(**how)",
    "bound methods taken before": (
        "from tests.support import app\nclient = app.client()\n"
        "taken = client.beta.threads.create_and_run\nrunspan.instrument(**how)\n"
    ),
    "only the core of openai imported before": (
        "import openai._base_client\nrunspan.instrument(**how)\nfrom tests.support import app"
    ),
}


@pytest.mark.parametrize("order", ORDERS)
def test_patches_go_on_whenever_openai_is_imported(order: str) -> None:
    with serve("slow") as server, receivers.serve() as receiver:
        how = "how = {'exit_timeout_s': 20, 'fetch': 'never'}"
        use = (
            "client = globals().get('client') or app.client()\n"
            "run = taken(assistant_id=client.beta.assistants.create(model='m', instructions='x').id) "
            "if 'taken' in globals() else app.begin_run(client)\n"
            "print(run.id)"
        )
        ended = run(f"import runspan\n{how}\n{ORDERS[order]}\n{use}", environment(server, receiver))
        assert run_ids(receiver) == ended.check().split()


def test_a_reload_of_a_patched_module_leaves_one_layer_and_a_working_client() -> None:
    with serve("slow") as server, receivers.serve() as receiver:
        ended = run(
            """
            import importlib, sys, types
            import runspan
            runspan.instrument(exit_timeout_s=20, fetch="never")
            import openai._base_client as base
            from tests.support import app
            client = app.client()
            print(app.begin_run(client).id)
            importlib.reload(base)
            print(app.begin_run(client).id)
            runspan.uninstrument()
            kinds = [type(vars(c)["request"]) for c in type(client).__mro__ if "request" in vars(c)]
            assert {*kinds, type(vars(base.SyncAPIClient)["request"])} == {types.FunctionType}, kinds
            assert not [f for f in sys.meta_path if "runspan" in type(f).__module__]
            """,
            environment(server, receiver),
        )
        ids = ended.check().split()
        assert ids[0] in run_ids(receiver)
        assert len(run_ids(receiver)) == len(set(run_ids(receiver)))


IS_PATCHED = "print(type(vars(sys.modules['openai._base_client'].SyncAPIClient)['request']).__name__)"
IMPORTS = {
    "a spec is asked for before the parent is imported": (
        """
        ours = next(f for f in sys.meta_path if type(f).__name__ == "OpenAIInstaller")
        assert ours.find_spec("openai._base_client") is None
        assert ours.find_spec("openai._base_client", None, None) is None
        import openai
        """
    ),
    "a spec is asked for with the parent imported, and nothing is": (
        """
        import importlib.util, openai
        assert importlib.util.find_spec("openai._base_client").name == "openai._base_client"
        """
    ),
    "imported anew": (
        """
        import openai
        for name in [name for name in sys.modules if name.partition(".")[0] == "openai"]:
            del sys.modules[name]
        import openai
        """
    ),
    "reloaded": "import importlib, openai._base_client as base; importlib.reload(base)",
    "the first import fails": (
        """
        sys.modules["pydantic"] = None
        try:
            import openai
        except ImportError:
            del sys.modules["pydantic"]
        import openai
        """
    ),
    "another thread looks the spec up meanwhile": (
        """
        import importlib.util, threading
        class Waiting:
            looked_up, imported = threading.Event(), threading.Event()
            def find_spec(self, name, path=None, target=None):
                if name == "openai._base_client" and threading.current_thread() is not threading.main_thread():
                    self.looked_up.set()
                    assert self.imported.wait(60)
        sys.meta_path.append(Waiting())
        sys.meta_path.insert(1, sys.meta_path.pop())
        import types
        parent = importlib.util.find_spec("openai").submodule_search_locations
        ours = next(f for f in sys.meta_path if type(f).__name__ == "OpenAIInstaller")
        other = threading.Thread(target=ours.find_spec, args=("openai._base_client", parent))
        other.start()
        assert Waiting.looked_up.wait(60)
        import openai
        Waiting.imported.set()
        other.join()
        """
    ),
}


@pytest.mark.parametrize("how", IMPORTS)
def test_the_client_is_patched_however_it_is_imported(how: str) -> None:
    script = f"import sys, runspan\nrunspan.instrument()\n{dedent(IMPORTS[how])}\n{IS_PATCHED}"
    assert run(script).check() == "FunctionWrapper\n"


def test_uninstrumented_before_the_import_it_is_not_patched() -> None:
    script = f"import sys, runspan\nrunspan.instrument()\nrunspan.uninstrument()\nimport openai\n{IS_PATCHED}"
    assert run(script).check() == "function\n"


def test_modules_keep_their_own_loaders_and_specs() -> None:
    script = """
        import runspan
        runspan.instrument()
        import inspect, importlib.util, pkgutil
        import openai._base_client as base
        print(type(base.__loader__).__name__, type(base.__spec__.loader).__name__)
        print(inspect.getsource(base.SyncAPIClient.request).lstrip().startswith(("def", "@")))
        print(pkgutil.get_data("openai", "py.typed"), importlib.util.find_spec("openai._base_client").name)
    """
    assert run(script).check().splitlines() == [
        "SourceFileLoader SourceFileLoader",
        "True",
        "b'' openai._base_client",
    ]


def test_other_import_hooks_see_the_modules_too() -> None:
    """Debuggers and other instrumentations have finders of their own; ours asks them."""
    script = """
        import sys
        seen = []
        class Theirs:
            def find_spec(self, name, path=None, target=None):
                if name == "openai._base_client":
                    seen.append(name)
                return None
        sys.meta_path.insert(0, Theirs())
        import runspan
        runspan.instrument()
        import openai._base_client
        print(seen, type(vars(openai._base_client.SyncAPIClient)["request"]).__name__)
    """
    assert run(script).check() == "['openai._base_client'] FunctionWrapper\n"


@pytest.mark.parametrize("place", [0, 1])
def test_an_import_hook_that_asks_the_others_itself_leaves_one_layer(place: int) -> None:
    """ddtrace's does: it walks `sys.meta_path`, and so asks us again while we ask it."""
    script = f"""
        import sys
        import runspan
        runspan.instrument()
        class Theirs:
            finding = set()
            def find_spec(self, name, path=None, target=None):
                if name in self.finding:
                    return None
                self.finding.add(name)
                try:
                    specs = (f.find_spec(name, path, target) for f in sys.meta_path if f is not self)
                    return next((spec for spec in specs if spec is not None), None)
                finally:
                    self.finding.discard(name)
        sys.meta_path.insert({place}, Theirs())
        import openai._base_client as base
        ours = vars(base.SyncAPIClient)["request"]
        print(type(ours).__name__, type(ours.__wrapped__).__name__)
        runspan.uninstrument()
        print(type(vars(base.SyncAPIClient)["request"]).__name__)
    """
    assert run(script).check().splitlines() == ["FunctionWrapper function", "function"]


def test_wrapt_import_hooks_of_others_work_beside_ours() -> None:
    script = """
        import wrapt
        hooked = []
        wrapt.register_post_import_hook(lambda module: hooked.append(module.__name__), "openai._base_client")
        import runspan
        runspan.instrument()
        import openai._base_client as base
        print(hooked, type(vars(base.SyncAPIClient)["request"]).__name__)
    """
    assert run(script).check() == "['openai._base_client'] FunctionWrapper\n"


def test_without_openai_installed_nothing_breaks() -> None:
    script = """
        import sys
        class Hidden:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "openai":
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, Hidden())
        import runspan
        runspan.instrument()
        try:
            import openai
        except ModuleNotFoundError as error:
            print(error)
        runspan.flush(); runspan.uninstrument()
    """
    assert run(script).check() == "No module named 'openai'\n"


def test_switched_off_nothing_is_patched_or_imported() -> None:
    script = (
        "import sys, runspan\nrunspan.instrument()\nimport openai._base_client as base\n"
        "print(type(vars(base.SyncAPIClient)['request']).__name__, 'wrapt' in sys.modules)"
    )
    for variable in ({"RUNSPAN_ENABLED": "false"}, {"OTEL_SDK_DISABLED": "true"}):
        assert run(script, environment(**variable)).check() == "function False\n"
