"""Why a run ended as it did, in words, and what to do about it: one table for the pages, the JSON API and the terminal."""

from __future__ import annotations

from collections.abc import Mapping

# runspan.run.unfinished -> why no end was seen
UNFINISHED: Mapping[str, str] = {
    "stream_closed": "The app closed the stream before the run ended. Read the stream to its end, or retrieve the run later.",
    "expired_unseen": "Nothing retrieved this run during its time to live. Poll runs until they end, or cancel them.",
    "evicted": "Too many runs were alive at once. Raise max_live_runs.",
    "deleted": "The app deleted the response before its end was seen. Read it first.",
    "not_found": "The server had deleted the run. Read a response before it is deleted, or create it with store=True.",
    "shutdown": "The process ended before the run did. Wait for the run, or hand it off to another process.",
}
# error.type of a failed run -> what it means
FAILED: Mapping[str, str] = {
    "rate_limit_exceeded": "The server refused the run: too many requests, or no quota left."
    " Wait and try again, or raise the limit.",
    "server_error": "The server failed. Start the run again.",
    "invalid_prompt": "The server rejected the input. Change the messages or the instructions.",
    "timeout": "A request timed out. Raise the client's timeout, or check the connection.",
}
ENDED: Mapping[str, str] = {
    "expired": "The server ended the run, because it did not finish within its time limit."
    " Most often tool outputs came too late: submit them sooner, or start a new run.",
    "incomplete": "The answer stops early: a token limit or a content filter ended the run."
    " Raise max_completion_tokens or max_prompt_tokens, or shorten the thread.",
    "cancelled": "The app cancelled the run.",
    "cancelling": "The app asked to cancel the run, and the server had not confirmed it yet.",
}


def reason(status: str, unfinished: str = "", error: str = "") -> str:
    """One or two sentences; empty where the run ended well or nothing more is known."""
    if unfinished:
        return UNFINISHED.get(unfinished, f"runspan did not see this run finish ({unfinished}).")
    if status == "failed":
        return FAILED.get(error.partition(":")[0].strip(), "")
    return ENDED.get(status, "")


def is_bad(status: str, unfinished: str = "", error: str = "") -> bool:
    """Whether the end was a bad one: failed, expired, any other error, or an end that nobody saw."""
    return status in ("failed", "expired", "error") or bool(unfinished or error)
