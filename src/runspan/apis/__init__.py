"""The APIs that runspan traces. The first one is meant where a carrier from another process names none."""

from __future__ import annotations

from . import assistants, files, responses
from .api import Apis

APIS = Apis(assistants.API, responses.API, files.API)
