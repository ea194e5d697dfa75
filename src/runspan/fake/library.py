"""The named scenarios. A table to read, to compose from (`SCENARIOS["slow"].but(era="v1")`) and to add to."""

from __future__ import annotations

from runspan.fake.faults import FAULTS
from runspan.fake.scenarios import (
    CodeInterpreter,
    Cut,
    Ending,
    ErrorCode,
    FileCitation,
    FilePath,
    FileResult,
    FileSearch,
    FunctionCall,
    Image,
    ImageFile,
    ImageUrl,
    Logs,
    Message,
    Phase,
    Reason,
    Refusal,
    Retrieval,
    Scenario,
    Text,
    Tools,
    Usage,
)

SOLVE = CodeInterpreter("a, b, c = 3, 11, 14\nprint((c - b) / a)", (Logs("1.0"),))
PLOT = CodeInterpreter(
    "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.show()", (Image("file-plot"),)
)
BIRDS = FileResult("file-birds", "birds.txt", 0.68, "The heron stands still.\nThe swift sleeps in the air.")
SORRY = "Sorry, something went wrong."
LONG = "Once upon a time there was a run that had so much to say that its tokens ran out before"


def failing(code: ErrorCode, message: str, *phases: Phase) -> Scenario:
    """Failed in the middle of the last phase."""
    return Scenario(phases=phases, ending=Ending("failed", code=code, message=message, open_step=True))


def cut(reason: Reason, message_reason: Cut, event: str | None = None) -> Scenario:
    """A run and its message that stop too early."""
    return Scenario(
        phases=(Message(LONG, cut=message_reason),), ending=Ending("incomplete", reason=reason, event=event)
    )


SCENARIOS: dict[str, Scenario] = {
    "default": Scenario(),
    "slow": Scenario(phases=(Message(seconds=20.0, token_s=0.5),), queue_s=10.0),
    "text": Scenario(phases=(Message("Good to see you. What shall we look at?"),)),
    "several_messages": Scenario(
        phases=(Message("Let us see."), Message("First this."), Message("Then that."))
    ),
    "function": Scenario(phases=(Tools((FunctionCall(),)), Message())),
    "function_rounds": Scenario(phases=(Tools((FunctionCall(),)), Tools((FunctionCall(),)), Message())),
    "parallel_functions": Scenario(
        phases=(Tools((FunctionCall(), FunctionCall(None, '{"city":"Berlin"}'))), Message())
    ),
    "mixed_tools": Scenario(phases=(Tools((SOLVE, FunctionCall())), Message())),
    "code_interpreter": Scenario(phases=(Tools((SOLVE,)), Message())),
    "code_image": Scenario(
        phases=(
            Message("I will plot it."),
            Tools((PLOT,)),
            Message((ImageFile("file-plot"), Text("Here it is.", (FilePath("file-plot"),)))),
        )
    ),
    "file_search": Scenario(
        phases=(
            Tools((FileSearch((BIRDS,)),)),
            Message((Text("The swift sleeps in the air", (FileCitation(),)),)),
        )
    ),
    "refusal": Scenario(phases=(Message((Refusal("I'm sorry, I cannot help with that."),)),)),
    "image": Scenario(phases=(Message((ImageFile("file-cat"), ImageUrl("https://example.com/cat.png"))),)),
    "unicode": Scenario(phases=(Message("Привет, 世界! 🌮 𝒙 = 1 \u202eabc"),)),
    "incomplete": cut("max_completion_tokens", "max_tokens"),
    "incomplete_prompt": cut("max_prompt_tokens", "max_tokens"),
    "incomplete_event": cut("max_completion_tokens", "max_tokens", event="thread.run.incomplete"),
    "content_filter": cut("content_filter", "content_filter"),
    "failed": failing("server_error", SORRY, Message("This will not come to")),
    "failed_tool": failing("server_error", SORRY, Tools((SOLVE,))),
    "rate_limited": failing("rate_limit_exceeded", "Rate limit is exceeded. Try again in 20 seconds."),
    "invalid_prompt": failing("invalid_prompt", "Invalid prompt."),
    "expired": Scenario(phases=(Message(seconds=60.0),), lifetime_s=3.0),
    "expires_waiting": Scenario(phases=(Tools((FunctionCall(),)), Message()), lifetime_s=2.0),
    "cancelled": Scenario(
        phases=(Message("It was a dark and"),), ending=Ending("cancelled", open_step=True), cancel_s=0.05
    ),
    "long_cancelling": Scenario(phases=(Message(seconds=30.0),), cancel_s=5.0),
    "usage": Scenario(
        phases=(Message("42", usage=Usage(1000, 300, cached_tokens=768, reasoning_tokens=256)),)
    ),
    "v1": Scenario(phases=(Message(), Tools((SOLVE,)), Message()), era="v1"),
    "v1_retrieval": Scenario(phases=(Tools((Retrieval(),)), Message("The files say so.")), era="v1"),
    "poll_after": Scenario(poll_after_ms=5),
    "stream_cut": Scenario(phases=(Message(LONG),), cut_stream_after=12),
    "stream_error": failing("server_error", SORRY, Message(LONG)).but(stream_error_after=12),
    **{f"http_{name}": Scenario(fault=fault) for name, fault in FAULTS.items()},
}
