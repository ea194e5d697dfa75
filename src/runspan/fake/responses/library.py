"""The named scenarios of responses. A table to read, to compose from (`SCENARIOS["slow"].but(...)`)."""

from __future__ import annotations

from runspan.fake.faults import FAULTS, HttpError
from runspan.fake.library import LONG, SORRY
from runspan.fake.responses.scenarios import Ending, Item, Message, Output, Reasoning, Scenario, Text, Usage
from runspan.fake.scenarios import FunctionCall, Refusal

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ANSWER = Scenario((Message(),))
THINK = Reasoning(("**Weighing it up**\n\nThe question has two sides.",), seconds=0.02)
WEB = Item(
    "web_search_call",
    {
        "action": {
            "type": "search",
            "query": "weather Paris",
            "queries": ["weather Paris"],
            "sources": [{"type": "url", "url": "https://example.com/paris"}],
        }
    },
)
URL = {
    "type": "url_citation",
    "url": "https://example.com/paris",
    "title": "Paris",
    "start_index": 0,
    "end_index": 5,
}
FILES = Item(
    "file_search_call",
    {
        "queries": ["swift"],
        "results": [
            {
                "file_id": "file-birds",
                "filename": "birds.txt",
                "score": 0.68,
                "text": "The swift sleeps in the air.",
                "attributes": {},
            }
        ],
    },
)
FILE = {"type": "file_citation", "file_id": "file-birds", "filename": "birds.txt", "index": 27}
CODE = Item(
    "code_interpreter_call",
    {
        "code": "print((14 - 11) / 3)",
        "container_id": "cntr_fake",
        "outputs": [{"type": "logs", "logs": "1.0"}],
    },
)
ROLL = {"server_label": "dice", "name": "roll", "arguments": '{"dice":"2d4+1"}'}
MCP_TOOLS = Item(
    "mcp_list_tools",
    {"server_label": "dice", "tools": [{"name": "roll", "input_schema": {"type": "object"}}]},
)
MCP = Item("mcp_call", {**ROLL, "output": "4", "approval_request_id": None})
MCP_BROKEN = Item(
    "mcp_call",
    {
        **ROLL,
        "approval_request_id": None,
        "error": {"type": "http_error", "code": 424, "message": "Failed Dependency"},
    },
    ends="failed",
)
IMAGE = Item(
    "image_generation_call",
    {
        "result": PIXEL,
        "revised_prompt": "A heron at dawn",
        "background": "opaque",
        "output_format": "png",
        "quality": "low",
        "size": "1024x1024",
    },
)
SHELL = Item("shell_call", {"action": {"commands": ["ls"]}, "environment": {"type": "local"}})
CONTAINER = {"type": "container_reference", "container_id": "cntr_fake"}
LISTED = {"stdout": "birds.txt\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
SHELL_HOSTED = (
    Item("shell_call", {"action": {"commands": ["ls"]}, "environment": CONTAINER}),
    Item("shell_call_output", {"max_output_length": None, "output": [LISTED]}),
)
LOCAL_SHELL = Item("local_shell_call", {"action": {"type": "exec", "command": ["ls"], "env": {}}})
COMPUTER = Item(
    "computer_call",
    {"action": {"type": "click", "button": "left", "x": 1, "y": 2}, "pending_safety_checks": []},
)
PATCH = Item("apply_patch_call", {"operation": {"type": "create_file", "path": "NOTES.md", "diff": "+a\n"}})
UNHEARD = Item("tea_ceremony_call", {"leaves": "sencha", "cups": 2})


def calling(*items: Output, then: Scenario = ANSWER) -> Scenario:
    """A response that asks the app, and the one that its answer starts."""
    return Scenario(items, then=then)


def failing(code: str, message: str, *items: Output) -> Scenario:
    """Failed in the middle of its last item."""
    return Scenario(items, ending=Ending("failed", code=code, message=message, open_item=True))


SCENARIOS: dict[str, Scenario] = {
    "default": Scenario(),
    "slow": Scenario((Message(seconds=20.0, token_s=0.5),), queue_s=10.0),
    "text": Scenario((Message("Good to see you. What shall we look at?"),)),
    "several_messages": Scenario((Message("Let us see."), Message("First this."))),
    "reasoning": Scenario((THINK, Message("Both are right."))),
    "refusal": Scenario((Message((Refusal("I'm sorry, I cannot help with that."),)),)),
    "unicode": Scenario((Message("Привет, 世界! 🌮 𝒙 = 1 \u202eabc"),)),
    "function": calling(FunctionCall()),
    "function_rounds": calling(FunctionCall(), then=calling(FunctionCall())),
    "parallel_functions": calling(FunctionCall(), FunctionCall(None, '{"city":"Berlin"}')),
    "reasoning_function": calling(THINK, FunctionCall()),
    "custom_tool": calling(Item("custom_tool_call", {"name": "run_sql", "input": "select 1"})),
    "web_search": Scenario((WEB, Message((Text("Paris is sunny.", (URL,)),)))),
    "file_search": Scenario((FILES, Message((Text("The swift sleeps in the air.", (FILE,)),)))),
    "code_interpreter": Scenario((CODE, Message())),
    "mcp": Scenario((MCP_TOOLS, MCP, Message("You rolled 4."))),
    "mcp_failed": Scenario((MCP_BROKEN, Message("The dice are lost."))),
    "mcp_approval": calling(MCP_TOOLS, Item("mcp_approval_request", ROLL), then=Scenario((MCP, Message("4")))),
    "image_generation": Scenario((IMAGE, Message(""))),
    "shell": calling(SHELL),
    "shell_hosted": Scenario((*SHELL_HOSTED, Message("One file."))),
    "local_shell": calling(LOCAL_SHELL),
    "computer": calling(COMPUTER),
    "apply_patch": calling(PATCH),
    "compaction": Scenario((Item("compaction", {"encrypted_content": "gAAAAA-encrypted"}), Message("Shorter."))),
    "unknown_item": Scenario((UNHEARD, Message("Tea is ready."))),
    "mixed_tools": calling(THINK, WEB, FunctionCall()),
    "usage": Scenario((THINK, Message("42")), usage=Usage(1000, 300, 768, 128, 256)),
    "no_usage": Scenario((Message("42"),), usage=Usage(0, 0)),
    "incomplete": Scenario((Message(LONG),), ending=Ending("incomplete", reason="max_output_tokens")),
    "incomplete_messages": Scenario((Message("One."),), ending=Ending("incomplete", reason="max_messages")),
    "content_filter": Scenario((Message(LONG),), ending=Ending("incomplete", reason="content_filter")),
    "failed": failing("server_error", SORRY, Message("This will not come to")),
    "failed_tool": failing("server_error", SORRY, CODE),
    "rate_limited": failing("rate_limit_exceeded", "Rate limit reached. Try again in 20 seconds."),
    "invalid_prompt": failing("invalid_prompt", "Invalid prompt."),
    "error_event": Scenario((), ending=Ending(
        "failed", code="rate_limit_exceeded", message="You exceeded your current quota.", error_event="nested")),
    "error_event_flat": Scenario((), ending=Ending("failed", code="server_error", message=SORRY, error_event="flat")),
    "stream_cut": Scenario((Message(LONG),), cuts=(8,)),
    "stream_cut_twice": Scenario((Message(LONG),), cuts=(8, 6)),
    "unnumbered": Scenario((Message(LONG),), numbered=False),
    "not_stored": Scenario((Message(),), stores=False),
    "model_not_found": Scenario(fault=HttpError(
        400, "The requested model 'none' does not exist.", code="model_not_found", param="model")),
    **{f"http_{name}": Scenario(fault=fault) for name, fault in FAULTS.items()},
}  # fmt: skip
