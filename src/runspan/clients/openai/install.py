"""Where the official client is patched: at its choke point, and where one helper makes many calls."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from ... import _compat
from ..install import Installer, Targets

PACKAGE = "openai"
TARGETS: Targets = {
    _compat.BASE_CLIENT: (
        ("SyncAPIClient", "request", "request"),
        ("AsyncAPIClient", "request", "arequest"),
    ),
    "openai.lib.streaming": (
        ("AssistantStreamManager", "__exit__", "exit"),
        ("AsyncAssistantStreamManager", "__aexit__", "aexit"),
    ),
    "openai.lib.streaming.responses": (
        ("ResponseStreamManager", "__exit__", "exit"),
        ("AsyncResponseStreamManager", "__aexit__", "aexit"),
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


class OpenAIInstaller(Installer):
    def __init__(self) -> None:
        super().__init__(PACKAGE, TARGETS)

    def _targets(self, module: ModuleType) -> Sequence[tuple[Any, str, str]]:
        if module.__name__ != PACKAGE:
            return super()._targets(module)
        if _compat.has_base_client():  # patched already
            return ()
        owners = [owner for _, owner in _compat.request_owners(module)]
        return [
            (owner, "request", which) for owner, which in zip(owners, ("request", "arequest"), strict=False)
        ]
