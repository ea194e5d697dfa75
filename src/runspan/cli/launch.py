"""Starts an app as Python would (`python app.py`, `python -m module`), with runspan in it before its first line.

In this very process: its exit code, its signals and its exceptions are what they would be. Of an uncaught exception the app's own
frames are shown. Not `runpy`, which takes `__main__` away when the script has ended, while its threads and exit hooks go on.
"""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import types
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader

import runspan

from ..guard import guarded
from ..setup import start_from_outside
from .app import App


def launch(app: App) -> int:
    """0 when the app ran to its end; what it raises comes out."""
    main = _new_main()
    vars(main)["__spec__" if app.is_module else "__file__"] = (
        ModuleSpec(app.target, None) if app.is_module else os.path.abspath(app.target)
    )
    sys.modules["__main__"] = main  # the service is named after it
    _instrument(app)
    sys.argv[:] = [app.target, *app.arguments]
    try:
        code = _of_module(app.target, main) if app.is_module else _of_path(app.target, main)
        exec(code, vars(main))  # noqa: S102 - this is what a launcher does
    except Exception:
        _show_own_frames(main)
        raise
    except KeyboardInterrupt:  # stays uncaught: the interpreter then ends by the signal, as shells expect
        _show_own_frames(main)
        raise
    return 0


def _new_main() -> types.ModuleType:
    """With the names that this Python's version gives to `__main__`."""
    main = types.ModuleType("__main__")
    own = vars(sys.modules["__main__"])
    vars(main).update(
        {name: new for name, new in (("__annotations__", {}), ("__cached__", None)) if name in own}
    )
    return main


def _instrument(app: App) -> None:
    """As for `opentelemetry-instrument`: with a wrong setting the app runs untraced, and the reason is said."""
    with guarded("instrument the app"):
        try:
            if app.examined is not None:
                from .health.app import report_at_exit

                report_at_exit(app.examined, app.as_json)
            start_from_outside(app.options)
        except runspan.ConfigError as error:
            sys.stderr.write(f"runspan: {error} Nothing is traced.\n")


# ---------------------------------------------------------------- finding the code


def _of_path(path: str, main: types.ModuleType) -> types.CodeType:
    if os.path.isdir(path) or not _is_source(path):
        _put_first_on_path(os.path.abspath(path))
        spec = PathFinder.find_spec("__main__", [os.path.abspath(path)])
        return _code_of(spec, main, f"can't find '__main__' in {path!r}")
    _put_first_on_path(os.path.dirname(os.path.realpath(path)))
    absolute = os.path.abspath(path)
    vars(main).update(
        __file__=absolute,
        __builtins__=sys.modules["builtins"],
        __loader__=SourceFileLoader("__main__", absolute),
    )
    with io.open_code(absolute) as file:
        return compile(file.read(), absolute, "exec", dont_inherit=True)


def _is_source(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) != b"PK\x03\x04"  # how zip files begin


def _of_module(name: str, main: types.ModuleType) -> types.CodeType:
    _put_first_on_path(os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name = f"{name}.__main__"
            spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as missing:
        if missing.name is None or not name.startswith(missing.name):
            raise
        spec = None
    code = _code_of(spec, main, f"no module named {name}")
    sys.argv[0] = str(vars(main)["__file__"])
    return code


def _code_of(spec: ModuleSpec | None, main: types.ModuleType, problem: str) -> types.CodeType:
    code = getattr(spec.loader, "get_code", lambda _: None)(spec.name) if spec else None
    if spec is None or code is None:
        sys.stderr.write(f"runspan run: {problem}\n")
        raise SystemExit(1)  # as `python -m` does
    vars(main).update(
        __file__=spec.origin,
        __cached__=spec.cached,
        __builtins__=sys.modules["builtins"],
        __loader__=spec.loader,
        __package__=spec.parent,
        __spec__=spec,
    )
    return code  # type: ignore[no-any-return]


def _put_first_on_path(folder: str) -> None:
    """In place of the folder of our own command; with `python -P` and PYTHONSAFEPATH there is no such entry."""
    if not getattr(sys.flags, "safe_path", False):  # since 3.11
        sys.path[0] = folder


# ---------------------------------------------------------------- tracebacks


def _show_own_frames(main: types.ModuleType) -> None:
    """Have whatever hook is there shown the traceback from the app's first frame on."""
    hook = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
        while trace is not None and trace.tb_frame.f_globals is not vars(main):
            trace = trace.tb_next
        hook(kind, error.with_traceback(trace), trace)

    sys.excepthook = show
