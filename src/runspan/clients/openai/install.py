"""Puts the patches on when `openai` is imported, at once if it is already, and takes them off without a trace.

`instrument()` imports neither `openai` nor `wrapt`: a finder waits for the two modules that matter.
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

from ... import _compat
from ...guard import guarded

logger = logging.getLogger("runspan")

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]

PACKAGE = "openai"
# module -> (class, method, which of the wrappers)
TARGETS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    _compat.BASE_CLIENT: (
        ("SyncAPIClient", "request", "request"),
        ("AsyncAPIClient", "request", "arequest"),
    ),
    "openai.lib.streaming": (
        ("AssistantStreamManager", "__exit__", "exit"),
        ("AsyncAssistantStreamManager", "__aexit__", "aexit"),
    ),
    PACKAGE: (),
    **dict.fromkeys(
        ("openai.resources.webhooks", "openai.resources.webhooks.webhooks"),  # a module once, a package since
        tuple((owner, "unwrap", "unwrap") for owner in ("Webhooks", "AsyncWebhooks")),
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
        self._finding: set[tuple[int, str]] = set()  # by thread
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

    def around(self, theirs: Any, base: Any) -> Any:
        """Our patch of the `request` of `base`, around a wrapper that does not lead to it."""
        import wrapt

        which = "arequest" if base.__name__.startswith("Async") else "request"
        return wrapt.FunctionWrapper(theirs, self._wrappers[which], enabled=lambda: self._is_on)

    # ------------------------------------------------------------ the import hook
    # Not `wrapt.when_imported`: its hooks are called once, so a module that is reloaded, or imported anew, goes unpatched; they
    # cannot be taken off again; and a module whose spec another thread looks up meanwhile is imported without them.

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the other finders say, with a loader that patches. None, as always: it is not ours, or nobody has it."""
        asked = threading.get_ident(), fullname
        if fullname not in TARGETS or not self._is_on or asked in self._finding:
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
        with guarded("patch the openai client"):
            self._patch_classes(module, self._targets(module))

    def _patch_classes(self, module: ModuleType, targets: Sequence[tuple[Any, str, str]]) -> None:
        import wrapt

        for class_name, name, which in targets:
            with guarded("patch the openai client"):
                owner = getattr(module, class_name, None) if isinstance(class_name, str) else class_name
                original = vars(owner).get(name) if owner is not None else None
                if self.is_patched(owner, name) or (original is None and _is_within(module, class_name)):
                    continue
                if not callable(original):
                    logger.warning(
                        "runspan: this openai version has no %s.%s, so it is not traced", class_name, name
                    )
                    continue
                ours = wrapt.FunctionWrapper(original, self._wrappers[which], enabled=lambda: self._is_on)
                setattr(owner, name, ours)
                self._patched.append((owner, name, original, ours))

    def _targets(self, module: ModuleType) -> Sequence[tuple[Any, str, str]]:
        if module.__name__ != PACKAGE:
            return TARGETS[module.__name__]
        if _compat.has_base_client():  # patched already
            return ()
        owners = [owner for _, owner in _compat.request_owners(module)]
        return [
            (owner, "request", which) for owner, which in zip(owners, ("request", "arequest"), strict=False)
        ]


def _is_within(package: ModuleType, class_name: Any) -> bool:
    """Whether the class stands in a module of this package by now: it is patched there."""
    modules = (name for name in TARGETS if name.startswith(f"{package.__name__}."))
    return any(class_name == target for name in modules for target, _, _ in TARGETS[name])


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
