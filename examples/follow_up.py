"""A second question on the same thread: two runs, two traces, and each has only its own answer as output.

The second run's input holds the whole conversation so far, and its additional instructions.
"""

from openai import OpenAI
from playground import playground


def main() -> None:
    with OpenAI() as client:
        tutor = client.beta.assistants.create(model="gpt-4o", name="Math Tutor", instructions="Be brief.")
        thread = client.beta.threads.create()
        print(ask(client, thread.id, tutor.id, "Please solve 3x + 11 = 14."))
        print(
            ask(
                client,
                thread.id,
                tutor.id,
                "And 2x - 4 = 0?",
                additional_instructions="Address the user as Jane Doe.",
            )
        )


def ask(client: OpenAI, thread_id: str, assistant_id: str, question: str, **options: str) -> str:
    client.beta.threads.messages.create(thread_id, role="user", content=question)
    run = client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id, **options)
    answers = client.beta.threads.messages.list(thread_id, run_id=run.id)
    return answers.data[0].content[0].text.value


if __name__ == "__main__":
    with playground():
        main()
