"""The one place where the command meets the viewer's web part, which `runspan[ui]` brings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from . import exits
from .output import Problem

if TYPE_CHECKING:
    from ..viewer import Viewer


def viewer_serve() -> Callable[..., AbstractContextManager[Viewer]]:
    """`runspan.viewer.serve`; where the extra is missing the command ends with one line that says how to get it."""
    try:
        from ..viewer import serve
    except ModuleNotFoundError as error:
        raise Problem(str(error), exits.NO_EXTRA) from None
    return serve
