"""Where azure-core is patched: every call of each Azure client runs through a pipeline."""

from __future__ import annotations

from ..install import Targets

LIBRARY = "azure-core"
TARGETS: Targets = {
    "azure.core.pipeline": (("Pipeline", "run", "request"), ("AsyncPipeline", "run", "arequest")),
}
