"""Where azure-core is patched: every call of each Azure client runs through a pipeline."""

from __future__ import annotations

from ..install import Installer, Targets

TARGETS: Targets = {
    "azure.core.pipeline": (("Pipeline", "run", "request"), ("AsyncPipeline", "run", "arequest")),
}


class AzureCoreInstaller(Installer):
    def __init__(self) -> None:
        super().__init__("azure-core", TARGETS)
