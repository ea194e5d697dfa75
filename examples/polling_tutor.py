"""A math tutor, polled by hand: one run, and one run span however often it is polled."""

import time

from openai import OpenAI
from playground import playground


def main() -> None:
    with OpenAI() as client:
        tutor = client.beta.assistants.create(
            model="gpt-4o", name="Math Tutor", instructions="You are a personal math tutor. Be brief."
        )
        thread = client.beta.threads.create()
        client.beta.threads.messages.create(thread.id, role="user", content="Please solve 3x + 11 = 14.")

        run = client.beta.threads.runs.create(thread.id, assistant_id=tutor.id)
        while run.status in ("queued", "in_progress"):
            time.sleep(0.02)
            run = client.beta.threads.runs.retrieve(run.id, thread_id=thread.id)

        answer = client.beta.threads.messages.list(thread.id, limit=1).data[0]
        print(f"{run.status}: {answer.content[0].text.value}")


if __name__ == "__main__":
    with playground():
        main()
