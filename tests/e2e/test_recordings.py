"""Recorded traffic through the real client: the traces say what the recordings do, in all seven modes."""

from __future__ import annotations

import pytest
from tests.e2e.recordings.folder import why_absent

if reason := why_absent():
    pytest.skip(reason, allow_module_level=True)

from tests.e2e.recordings.cases import Case, cases, exchanges_of, wrong_in_trace
from tests.e2e.recordings.facts import Facts
from tests.e2e.recordings.folder import RECORDINGS
from tests.e2e.recordings.oracle import expected
from tests.support.slices import every

every_case = pytest.mark.parametrize("case", every(8, cases()), ids=lambda case: case.name)

# Read off the files by hand, so that the oracle is held by something that is not itself:
# per started run its last status, error, input and output tokens, number of output messages, of tool calls.
READ_BY_HAND = {
    "asyncopenai_streaming_parallel_tool_calls": [("requires_action", None, None, None, 0, 2)],
    "azure_go_streaming_run_failed_rate_limit": [("failed", "rate_limit_exceeded", 0, 0, 0, 0)],
    "docs_examples_runs": [
        ("completed", None, 123, 456, 0, 0),
        ("completed", None, 20, 11, 1, 0),
        ("completed", None, 20, 11, 1, 0),
    ],
    "dotnet_assistant_crud": [],
    "dotnet_function_tools_poll": [("completed", None, 627, 34, 1, 1)],
    "dotnet_response_format": [("queued", None, None, None, 0, 0)],
    "dotnet_run_steps_code_interpreter_image": [("completed", None, 24165, 1099, 0, 6)],
    "dotnet_streaming_tool_call": [("completed", None, 544, 54, 1, 1)],
    "otel_v1_streaming_code_interpreter_logs": [("completed", None, 675, 184, 2, 1)],
    "ruby_run_cancel": [("cancelling", None, None, None, 0, 0)],
    "ruby_streamed_run_message_incomplete": [("incomplete", None, 27, 16, 1, 0)],
    "ruby_v1_run_modify_and_cancel": [],
    "simple_streaming_error_event": [("in_progress", None, None, None, 1, 0)],
    "simple_v1_streaming_run": [("completed", None, 1253, 185, 1, 0)],
}

# (failed POSTs of runs, other failed writes)
FAILURES_READ_BY_HAND = {
    "ruby_run_cancel": (2, 0),
    "ruby_run_step_not_found_404": (0, 0),
    "ruby_server_error_500_vector_store_batch": (0, 0),
    "ruby_streamed_run_message_incomplete": (2, 0),
    "ruby_submit_tool_outputs_error_400": (2, 1),
    "ruby_v1_run_modify_and_cancel": (0, 1),
}


def facts_of(recording: str) -> Facts:
    path = RECORDINGS / f"{recording}.jsonl"
    if not path.is_file():
        pytest.skip(f"no {recording} among the recordings")
    return expected(exchanges_of(path))


@pytest.mark.parametrize("recording", READ_BY_HAND)
def test_the_oracle_finds_the_runs_a_reader_finds(recording: str) -> None:
    assert [
        (r.status, r.error_type, r.input_tokens, r.output_tokens, len(r.outputs), len(r.tool_calls))
        for r in facts_of(recording).runs
    ] == READ_BY_HAND[recording]


@pytest.mark.parametrize("recording", FAILURES_READ_BY_HAND)
def test_the_oracle_counts_the_failures_a_reader_counts(recording: str) -> None:
    facts = facts_of(recording)
    assert (facts.failed_creates, facts.failed_writes) == FAILURES_READ_BY_HAND[recording]


@every_case
def test_each_run_is_one_run_span_and_one_generation_span_and_all_they_say_is_recorded(case: Case) -> None:
    wrong = list(wrong_in_trace(case))
    assert not wrong, "\n" + "\n".join(wrong)
