"""Puts the patches on a client library when it is imported, at once if it is already, and takes them off without a trace.

`instrument()` imports neither a library nor `wrapt`: a finder waits for the modules that matter.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ..guard import guarded

logger = logging.getLogger("runspan")

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]

# module -> (class, method, which of the wrappers). A class, in place of its name, is patched as it is.
Targets = Mapping[str, tuple[tuple[Any, str, str], ...]]


class Installer(MetaPathFinder):
    """`install()` and `remove()`; between the two, `wrappers[name]` stands around each target of `library`.

    A forked child has wrappers of its own, so they are looked up at each call.
    """

    def __init__(self, library: str, targets: Targets) -> None:
        self._library = library
        self._by_module = targets
        self.wrappers: Mapping[str, Wrapper] = {}
        self._patched: list[tuple[Any, str, Any, Any]] = []  # owner, name, original, ours
        self._finding: set[tuple[int, str]] = set()  # by thread
        self._is_on = False

    def install(self) -> None:
        self._is_on = True
        sys.meta_path.insert(0, self)
        for name in self._by_module:
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

    def ours(self, owner: Any, name: str) -> Any:
        """Our patch of it; None: there is none."""
        return next((ours for o, n, _, ours in self._patched if o is owner and n == name), None)

    def around(self, theirs: Any, base: Any) -> Any:
        """Our patch of the `request` of `base`, around a wrapper that does not lead to it."""
        return self._wrapped(theirs, "arequest" if base.__name__.startswith("Async") else "request")

    def _wrapped(self, original: Any, which: str) -> Any:
        import wrapt

        def call(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if self._is_on:
                return self.wrappers[which](wrapped, instance, args, kwargs)
            return wrapped(*args, **kwargs)

        return wrapt.FunctionWrapper(original, call)

    # ------------------------------------------------------------ the import hook
    # Not `wrapt.when_imported`: its hooks are called once, so a module that is reloaded, or imported anew, goes unpatched; they
    # cannot be taken off again; and a module whose spec another thread looks up meanwhile is imported without them.

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the other finders say, with a loader that patches. None, as always: it is not ours, or nobody has it."""
        asked = threading.get_ident(), fullname
        if fullname not in self._by_module or not self._is_on or asked in self._finding:
            return None
        self._finding.add(asked)  # other finders may ask everyone themselves, and so us again
        try:
            spec = self._find_spec_of_others(fullname, path, target)
        finally:
            self._finding.discard(asked)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _PatchingLoader(spec.loader, self._patch)
        return spec

    def _find_spec_of_others(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for other in list(sys.meta_path):
            if other is not self and hasattr(other, "find_spec"):
                spec = other.find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None

    def _patch(self, module: ModuleType) -> None:
        with guarded(f"patch {self._library}"):
            self._patch_classes(module, self._targets(module))

    def _patch_classes(self, module: ModuleType, targets: Sequence[tuple[Any, str, str]]) -> None:
        for class_name, name, which in targets:
            with guarded(f"patch {self._library}"):
                owner = getattr(module, class_name, None) if isinstance(class_name, str) else class_name
                original = vars(owner).get(name) if owner is not None else None
                if self.ours(owner, name) is not None or (
                    original is None and self._is_elsewhere(module, class_name)
                ):
                    continue
                if not callable(original):
                    logger.warning(
                        "runspan: this %s version has no %s.%s, so it is not traced",
                        *(self._library, class_name, name),
                    )
                    continue
                ours = self._wrapped(original, which)
                setattr(owner, name, ours)
                self._patched.append((owner, name, original, ours))

    def _targets(self, module: ModuleType) -> Sequence[tuple[Any, str, str]]:
        return self._by_module[module.__name__]

    def _is_elsewhere(self, package: ModuleType, class_name: Any) -> bool:
        """Whether a module of this package is where the class, or its base, stands by now: it is patched there."""
        modules = (name for name in self._by_module if name.startswith(f"{package.__name__}."))
        return any(class_name == target for name in modules for target, _, _ in self._by_module[name])


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
