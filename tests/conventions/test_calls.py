"""Spans of calls around files and vector stores, and of the app's own functions: whole values."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.conventions import genai, observed
from runspan.core.model import CallFacts, Document, Search, SpanKind, Stored
from tests.conventions.test_attributes import SERVER, attributes, span

COMMON = {
    "openinference.span.kind": "CHAIN",
    "gen_ai.provider.name": "openai",
    "server.address": "api.test",
    "server.port": 8080,
}
FOUND = (Document("f1", "birds.txt", 0.5, "The swift sleeps."), Document("f2", score=0.25))
CALLS: dict[str, tuple[CallFacts, str, dict[str, Any]]] = {
    "upload_file": (
        CallFacts(SERVER, stored=Stored(file_id="f1", file_name="a.txt", file_bytes=5, purpose="assistants")),
        "upload_file",
        {
            "runspan.file.id": "f1",
            "runspan.file.name": "a.txt",
            "runspan.file.bytes": 5,
            "runspan.file.purpose": "assistants",
        },
    ),
    "create_file_batch": (
        CallFacts(
            SERVER,
            stored=Stored(
                store_id="vs",
                store_name="Birds",
                batch_id="b",
                status="completed",
                counts={"completed": 2, "failed": 0},
            ),
            polls=3,
            uploads=2,
        ),
        "create_file_batch",
        {
            "gen_ai.data_source.id": "vs",
            "runspan.vector_store.name": "Birds",
            "runspan.file_batch.id": "b",
            "runspan.indexing.status": "completed",
            "runspan.indexing.files.completed": 2,
            "runspan.indexing.files.failed": 0,
            "runspan.indexing.polls": 3,
            "runspan.indexing.uploads": 2,
        },
    ),
    "retrieval": (
        CallFacts(SERVER, stored=Stored(store_id="vs"), search=Search(("swifts?", "sleep?"), 4, FOUND)),
        "retrieval vs",
        {
            "openinference.span.kind": "RETRIEVER",
            "gen_ai.data_source.id": "vs",
            "gen_ai.retrieval.query.text": "swifts?\nsleep?",
            "gen_ai.retrieval.top_k": 4,
            "gen_ai.retrieval.documents": '[{"id":"f1","score":0.5,"content":"The swift sleeps.","name":"birds.txt"},'
            '{"id":"f2","score":0.25}]',
            "input.value": "swifts?\nsleep?",
            "input.mime_type": "text/plain",
            "retrieval.documents.0.document.id": "f1",
            "retrieval.documents.0.document.score": 0.5,
            "retrieval.documents.0.document.content": "The swift sleeps.",
            "retrieval.documents.0.document.metadata": '{"file_name":"birds.txt"}',
            "retrieval.documents.1.document.id": "f2",
            "retrieval.documents.1.document.score": 0.25,
        },
    ),
    "a search that names nothing": (
        CallFacts(SERVER, stored=Stored(), search=Search()),
        "retrieval",
        {"openinference.span.kind": "RETRIEVER"},
    ),
}


@pytest.mark.parametrize("what", CALLS)
def test_what_a_call_tells_of_files_stores_and_searches(what: str) -> None:
    facts, name, more = CALLS[what]
    data = span(SpanKind.CALL, facts, name.split()[0])
    assert genai.name(data) == name
    assert attributes(data) == {**COMMON, "gen_ai.operation.name": name.split()[0], **more}


# ---------------------------------------------------------------- the app's own

KIND = "openinference.span.kind"
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "span": ("f", {KIND: "CHAIN"}),
    "chain": ("f", {KIND: "CHAIN"}),
    "agent": (
        "invoke_agent f",
        {KIND: "AGENT", "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "f"},
    ),
    "tool": (
        "execute_tool f",
        {
            KIND: "TOOL",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "f",
            "gen_ai.tool.type": "function",
        },
    ),
    "retriever": ("f", {KIND: "RETRIEVER", "gen_ai.operation.name": "retrieval"}),
    "generation": ("f", {KIND: "LLM", "gen_ai.operation.name": "chat"}),
    "embedding": ("f", {KIND: "EMBEDDING", "gen_ai.operation.name": "embeddings"}),
    "evaluator": ("f", {KIND: "EVALUATOR"}),
    "guardrail": ("f", {KIND: "GUARDRAIL"}),
}


def test_every_kind_of_an_observed_span_has_its_words() -> None:
    assert {
        kind: (observed.span_name(kind, "f"), observed.attributes(kind, "f")) for kind in observed.KINDS
    } == KINDS
