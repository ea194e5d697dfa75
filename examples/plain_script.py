"""A plain script, step by step: each step an observed function, called from an observed root. One trace shows the whole job."""

from openai import OpenAI
from openai.types.beta.threads import Run
from playground import playground

import runspan


@runspan.observe
def run_math_tutor(client: OpenAI, question: str) -> str:
    tutor_id = create_assistant(client)
    run = wait(client, run_assistant(client, tutor_id, question))
    return get_response(client, run.thread_id)


@runspan.observe
def create_assistant(client: OpenAI) -> str:
    return client.beta.assistants.create(model="gpt-4o", name="Math Tutor", instructions="Be brief.").id


@runspan.observe
def run_assistant(client: OpenAI, tutor_id: str, question: str) -> Run:
    thread = client.beta.threads.create()
    for text in ("I need help with an equation.", question):
        client.beta.threads.messages.create(thread.id, role="user", content=text)
    return client.beta.threads.runs.create(thread_id=thread.id, assistant_id=tutor_id)


@runspan.observe
def wait(client: OpenAI, run: Run) -> Run:
    return client.beta.threads.runs.poll(run.id, run.thread_id, poll_interval_ms=20)


@runspan.observe
def get_response(client: OpenAI, thread_id: str) -> str:
    return client.beta.threads.messages.list(thread_id, limit=1).data[0].content[0].text.value


if __name__ == "__main__":
    with playground(), OpenAI() as client:
        print(run_math_tutor(client, "Please solve 3x + 11 = 14."))
