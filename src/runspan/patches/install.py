"""Puts the patches on when `openai` is imported, at once if it is already, and takes them off without a trace.

`instrument()` imports neither `openai` nor `wrapt`: a finder waits for the two modules that matter.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ..guard import guarded

logger = logging.getLogger("runspan")

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]

# module -> (class, method, which of the wrappers)
TARGETS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "openai._base_client": (
        ("SyncAPIClient", "request", "request"),
        ("AsyncAPIClient", "request", "arequest"),
    ),
    "openai.lib.streaming._assistants": (
        ("AssistantStreamManager", "__exit__", "exit"),
        ("AsyncAssistantStreamManager", "__aexit__", "aexit"),
    ),
    "openai.resources.files": (
        ("Files", "wait_for_processing", "helper"),
        ("AsyncFiles", "wait_for_processing", "ahelper"),
    ),
    # Vector stores were in beta up to 1.65.
    **{
        f"openai.resources.{folder}vector_stores.{module}": tuple(
            (f"{mode}{owner}", method, f"{mode[:1].lower()}helper")
            for mode in ("", "Async")
            for method in ("create_and_poll", "upload_and_poll")
        )
        for folder in ("", "beta.")
        for module, owner in (("files", "Files"), ("file_batches", "FileBatches"))
    },
}


class Installer(MetaPathFinder):
    """`install()` and `remove()`; between the two, `wrappers[name]` stands around each target."""

    def __init__(self, wrappers: Mapping[str, Wrapper]) -> None:
        self._wrappers = wrappers
        self._patched: list[tuple[Any, str, Any, Any]] = []  # owner, name, original, ours
        self._finding: set[str] = set()
        self._is_on = False

    def install(self) -> None:
        self._is_on = True
        sys.meta_path.insert(0, self)
        for name in TARGETS:
            module = sys.modules.get(name)
            if module is not None:
                self._patch(module)

    def remove(self) -> None:
        """Every patched attribute is what it was. Where somebody wrapped ours since, ours steps aside inside."""
        self._is_on = False
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for owner, name, original, ours in reversed(self._patched):
            if vars(owner).get(name) is ours:
                setattr(owner, name, original)
        self._patched.clear()

    def is_patched(self, owner: Any, name: str) -> bool:
        return any(o is owner and n == name for o, n, _, _ in self._patched)

    def ours(self, owner: Any, name: str) -> Any:
        """Our patch of it; None: there is none."""
        return next((ours for o, n, _, ours in self._patched if o is owner and n == name), None)

    # ------------------------------------------------------------ the import hook

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in TARGETS or not self._is_on or fullname in self._finding:
            return None
        self._finding.add(fullname)  # other finders may ask everyone themselves, and so us again
        try:
            spec = _find_spec_without(self, fullname)
        finally:
            self._finding.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _PatchingLoader(spec.loader, self._patch)
        return spec

    def _patch(self, module: ModuleType) -> None:
        import wrapt

        for class_name, name, which in TARGETS[module.__name__]:
            with guarded("patch the openai client"):
                owner = getattr(module, class_name, None)
                if self.is_patched(owner, name):
                    continue
                original = vars(owner).get(name) if owner is not None else None
                if not callable(original):
                    logger.warning(
                        "runspan: this openai version has no %s.%s, so it is not traced", class_name, name
                    )
                    continue
                ours = wrapt.FunctionWrapper(original, self._wrappers[which], enabled=lambda: self._is_on)
                setattr(owner, name, ours)
                self._patched.append((owner, name, original, ours))


def _find_spec_without(finder: MetaPathFinder, fullname: str) -> ModuleSpec | None:
    """Ask the other finders, ourselves left out, parent packages being imported already."""
    parent = sys.modules[fullname.rpartition(".")[0]]
    for other in list(sys.meta_path):
        if other is finder or not hasattr(other, "find_spec"):
            continue
        spec = other.find_spec(fullname, parent.__path__, None)
        if spec is not None:
            return spec
    return None


class _PatchingLoader(Loader):
    """The module's own loader, and the patches right after it ran."""

    def __init__(self, inner: Any, patch: Callable[[ModuleType], None]) -> None:
        self._inner = inner
        self._patch = patch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._inner.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        self._inner.exec_module(module)
        module.__loader__ = self._inner
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        self._patch(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
