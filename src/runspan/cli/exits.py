"""What the command's exit codes mean. `runspan run` ends as the app does."""

from __future__ import annotations

from collections.abc import Mapping

DONE, NOT_WELL, USAGE, NO_EXTRA, INTERRUPTED = 0, 1, 2, 3, 130

MEANINGS: Mapping[int, str] = {
    DONE: "done",
    NOT_WELL: "failure: no match, not delivered, or port in use",
    USAGE: "can't be done as asked: unknown options, unreadable files",
    NO_EXTRA: "needs the viewer: runspan[ui] is not installed",
    INTERRUPTED: "stopped by Ctrl-C before it was done",
}
