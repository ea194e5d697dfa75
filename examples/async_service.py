"""A service that answers several users at once: each run keeps to the span of the request it belongs to."""

import asyncio

from openai import AsyncOpenAI
from playground import playground


async def main() -> None:
    async with AsyncOpenAI() as client:
        tutor = await client.beta.assistants.create(model="gpt-4o", name="Tutor", instructions="Be brief.")
        users = {"Ann": "2x = 8", "Ben": "x - 1 = 0", "Cem": "3x + 11 = 14"}
        answers = await asyncio.gather(*(answer(client, tutor.id, *user) for user in users.items()))
        print("\n".join(answers))


async def answer(client: AsyncOpenAI, assistant_id: str, name: str, question: str) -> str:
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": question}])
    async with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant_id, additional_instructions=f"Address the user as {name}."
    ) as stream:
        return "".join([text async for text in stream.text_deltas])


if __name__ == "__main__":
    with playground():
        asyncio.run(main())
