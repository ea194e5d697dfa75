"""An app that puts its marks into every field it can fill: assistants, runs, tools, its own functions, its clients."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import openai
import pytest

import runspan
from runspan.fake import (
    CodeInterpreter,
    Ending,
    FileResult,
    FileSearch,
    FunctionCall,
    HttpError,
    Logs,
    Message,
    Refusal,
    Scenario,
    Text,
    Tools,
)
from tests.privacy.marks import ARGUMENTS, CONTENT, NAMES, NOT_RECORDED, SECRETS
from tests.support.playing import App, here

SCENARIO = Scenario(
    phases=(
        Tools(
            (
                FunctionCall(NAMES["tool_name"], ARGUMENTS),
                CodeInterpreter(CONTENT["code"], (Logs(CONTENT["code_logs"]),)),
                FileSearch((FileResult("file-hit", CONTENT["hit_name"], 0.9, CONTENT["hit_text"]),)),
            )
        ),
        Message((Text(CONTENT["answer"]), Refusal(CONTENT["refusal"]))),
    ),
    ending=Ending("failed", code="server_error", message=f"{CONTENT['run_error']} ({SECRETS['header_key']})"),
    poll_after_ms=1,
)


HAS_SEARCH = hasattr(openai.resources, "VectorStores")  # and vector stores out of beta


def client_options(kind: str) -> dict[str, Any]:
    """Secrets and headers of the client itself."""
    options: dict[str, Any] = {
        "api_key": _key(kind),
        "default_headers": {"X-Trace": NOT_RECORDED["default_header"], "X-Key": SECRETS["header_key"]},
        "default_query": {"where": NOT_RECORDED["default_query"], "key": SECRETS["url_key"]},
        "organization": NOT_RECORDED["organization"],
    }
    if "Azure" in kind:
        if kind == "AsyncAzureOpenAI":  # either, not both
            options |= {"api_key": None, "azure_ad_token_provider": lambda: _key(kind)}
    else:
        options |= {"project": NOT_RECORDED["project"]}
    return options


def _key(kind: str) -> str:
    names = {"AzureOpenAI": "azure_key", "AsyncAzureOpenAI": "azure_token"}
    return SECRETS[names.get(kind, "api_key")]


async def say_everything(app: App) -> None:
    """All of it."""
    app.server.inject(HttpError(400, CONTENT["api_error"]), method="POST", path="/threads/refused/messages")
    assistant = await _assistant(app)
    with (
        runspan.context(
            session_id=NAMES["session"],
            user_id=NAMES["user"],
            tags=[NAMES["tag"]],
            metadata={"k": CONTENT["context_metadata"], CONTENT["context_metadata_key"]: 1},
            trace_name=NAMES["trace_name"],
        ),
        here("app"),
    ):
        await _ask(app)
        await _polled(app, assistant.id)
        await _streamed(app, assistant.id)
        await _refused(app)
        await _files(app)
    await _elsewhere(app, assistant.id)
    _own_functions()
    _own_generators()
    runspan.score("helpful", NAMES["score_label"], comment=CONTENT["comment"])


async def _assistant(app: App) -> Any:
    function = {
        "name": NAMES["tool_name"],
        "description": CONTENT["tool_description"],
        "parameters": {
            "type": "object",
            "properties": {CONTENT["tool_parameter"]: {"type": "string", "default": CONTENT["tool_schema"]}},
        },
    }
    return await app.got(
        app.client.beta.assistants.create(
            model="gpt-4o",
            name=NAMES["assistant_name"],
            description=CONTENT["assistant_description"],
            instructions=CONTENT["assistant_instructions"],
            tools=[{"type": "function", "function": function}, {"type": "code_interpreter"}],
            metadata={"k": NOT_RECORDED["assistant_metadata"]},
        )
    )


async def _ask(app: App) -> None:
    meta = {"k": NOT_RECORDED["message_metadata"]}
    await app.got(app.threads.update(app.thread_id, metadata={"k": NOT_RECORDED["thread_metadata"]}))
    await app.ask(CONTENT["question"], metadata=meta)
    image = {"type": "image_url", "image_url": {"url": f"https://x.test/{CONTENT['image_question']}.png"}}
    await app.ask([{"type": "text", "text": CONTENT["attached_question"]}, image])  # type: ignore[arg-type]


def _asked(app: App, assistant_id: str) -> dict[str, Any]:
    return {
        "thread_id": app.thread_id,
        "assistant_id": assistant_id,
        "additional_instructions": CONTENT["additional_instructions"],
        "additional_messages": [{"role": "user", "content": CONTENT["additional_message"]}],
        "metadata": {"k": CONTENT["run_metadata"], CONTENT["run_metadata_key"]: "v"},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"title": NOT_RECORDED["response_schema"]}},
        },
        "extra_headers": {"X-Ticket": NOT_RECORDED["extra_header"]},
        "extra_query": {"hint": NOT_RECORDED["extra_query"]},
        "extra_body": {"user": NOT_RECORDED["run_user_field"]},
    }


async def _polled(app: App, assistant_id: str) -> None:
    run = await app.polled(await app.got(app.runs.create(**_asked(app, assistant_id))))
    run = await app.polled(await app.got(app.runs.submit_tool_outputs(**_outputs(run))))
    await app.listed()
    include = {"include[]": "step_details.tool_calls[*].file_search.results[*].content"}
    await app.got(app.runs.steps.list(run.id, thread_id=app.thread_id, extra_query=include))
    runspan.score(NAMES["score_name"], 1.0, comment=CONTENT["comment"], run_id=run.id)


async def _streamed(app: App, assistant_id: str) -> None:
    asked = {**_asked(app, assistant_id), "instructions": CONTENT["run_instructions"]}
    async with app.opened(app.runs.stream(**asked)) as stream:
        run = await app.got(stream.get_final_run())

    async def fail(*_: Any) -> None:
        raise RuntimeError(CONTENT["handler_error"])

    handler = app.handler(on_text_delta=fail)
    submitted = app.runs.submit_tool_outputs_stream(**_outputs(run), event_handler=handler)
    with pytest.raises(RuntimeError):
        async with app.opened(submitted) as stream:
            await app.got(stream.until_done())
    gc.collect()  # the client leaves generators of its own suspended; here there is still a loop to close them
    if app.is_async:
        await asyncio.sleep(0)


def _outputs(run: Any) -> Any:
    calls = run.required_action.submit_tool_outputs.tool_calls
    given = [{"tool_call_id": call.id, "output": CONTENT["result"]} for call in calls]
    return {"run_id": run.id, "thread_id": run.thread_id, "tool_outputs": given}


async def _refused(app: App) -> None:
    """Servers repeat in their errors what they were sent, keys included."""
    with pytest.raises(openai.BadRequestError):
        await app.ask("?", thread_id="refused")
    sent = (
        _key(app.kind),
        *(SECRETS[f"{name}_key"] for name in ("header", "url", "call_header", "call_query")),
    )
    said = f"Incorrect API key provided, one of: {', '.join(sent)}"
    app.server.inject(HttpError(401, said), method="POST", path="/threads")
    one_call = {
        "extra_headers": {"X-Tenant-Authorization": f"Key {SECRETS['call_header_key']}"},
        "extra_query": {"sig": SECRETS["call_query_key"]},
    }
    with pytest.raises(openai.AuthenticationError):
        await app.got(app.threads.create(**one_call))


async def _files(app: App) -> None:
    stores = app.client.vector_stores if HAS_SEARCH else app.client.beta.vector_stores
    store = await app.got(
        stores.create(name=CONTENT["store_name"], metadata={"k": NOT_RECORDED["store_metadata"]})
    )
    file = (CONTENT["file_name"], CONTENT["file_text"].encode())
    await app.got(stores.files.upload_and_poll(vector_store_id=store.id, file=file, poll_interval_ms=1))
    upload = (CONTENT["file_name"], NOT_RECORDED["uploaded_bytes"].encode())
    kept = await app.got(app.client.files.create(file=upload, purpose="assistants"))
    app.server.inject(HttpError(400, CONTENT["store_error"]), method="POST", path="/vector_stores/*/files")
    attributes = {"attributes": {"k": NOT_RECORDED["file_attribute"]}}
    with pytest.raises(openai.BadRequestError):
        await app.got(stores.files.create(vector_store_id=store.id, file_id=kept.id, extra_body=attributes))
    if HAS_SEARCH:
        await app.got(stores.search(store.id, query=f"{CONTENT['search_query']} canary"))


async def _elsewhere(app: App, assistant_id: str) -> None:
    """The same server by addresses that hold a password, and a path that is nowhere."""
    if "Azure" in app.kind:
        return
    host = app.server.base_url.removeprefix("http://").removesuffix("/v1")
    with_password = f"http://reader:{SECRETS['url_password']}@{host}/v1"
    client = app.client.with_options(base_url=with_password)
    await app.got(client.beta.threads.create_and_run(assistant_id=assistant_id))
    lost = app.client.with_options(base_url=f"http://{host}/{CONTENT['url_path']}?key={SECRETS['url_key']}")
    with pytest.raises(openai.APIError):
        await app.got(lost.beta.threads.create_and_run(assistant_id=assistant_id))


@runspan.observe
def answer(question: str, options: dict[str, Any], api_key: str) -> str:
    with runspan.span(NAMES["span_name"], input=CONTENT["span_input"], attributes=_OWN) as step:
        step.update(output=CONTENT["span_output"], metadata={"k": CONTENT["span_metadata"]})
    runspan.update(output={"said": CONTENT["updated_output"]}, metadata={"k": CONTENT["updated_metadata"]})
    return CONTENT["returned"]


_OWN = {"app.plan": NAMES["own_attribute"]}


@runspan.observe(kind="tool")
def fails(query: str) -> str:
    runspan.update(input=CONTENT["updated_input"], attributes=_OWN)
    raise ValueError(CONTENT["app_error"])


@runspan.observe
def returns(value: str) -> str:
    return value


def _own_functions() -> None:
    answer(
        CONTENT["argument"],
        {CONTENT["argument_key"]: 1, "password": SECRETS["named_secret"]},
        api_key=SECRETS["named_secret"],
    )
    returns(CONTENT["returned"])
    with pytest.raises(ValueError, match="CANARY"):
        fails("q")


@runspan.observe
def pieces(of: str) -> Iterator[str]:
    yield of


def _own_generators() -> None:
    assert list(pieces(CONTENT["streamed_item"])) == [CONTENT["streamed_item"]]
