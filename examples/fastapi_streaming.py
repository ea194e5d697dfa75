"""FastAPI with streamed answers. An observed generator belongs to the call that made it, whoever reads it: still one trace."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from playground import playground

import runspan


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncOpenAI() as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/ask")
@runspan.observe(kind="chain", name="ask")
async def ask(question: str, user: str) -> StreamingResponse:
    return StreamingResponse(answer(question, user), media_type="text/plain")


@runspan.observe
async def answer(question: str, user: str) -> AsyncIterator[str]:
    beta = app.state.client.beta
    with runspan.context(user_id=user):
        tutor = await beta.assistants.create(model="gpt-4o", name="Tutor", instructions="Be brief.")
        thread = await beta.threads.create(messages=[{"role": "user", "content": question}])
        async with beta.threads.runs.stream(thread_id=thread.id, assistant_id=tutor.id) as stream:
            async for text in stream.text_deltas:
                yield text


async def main() -> None:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with DefaultAsyncHttpxClient() as browser:
        print((await browser.get(f"http://127.0.0.1:{port}/ask?question=3x%2B11=14?&user=Ann")).text)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    with playground():
        asyncio.run(main())
