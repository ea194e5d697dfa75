"""Code interpreter: what the model ran, and what came out, stands on a tool span of its own."""

from openai import OpenAI
from playground import playground


def main() -> None:
    with OpenAI() as client:
        tutor = client.beta.assistants.create(
            model="gpt-4o",
            name="Math Tutor",
            instructions="Write and run code to answer math questions.",
            tools=[{"type": "code_interpreter"}],
        )
        thread = client.beta.threads.create(
            messages=[{"role": "user", "content": "Please solve 3x + 11 = 14."}]
        )
        run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=tutor.id)

        for step in client.beta.threads.runs.steps.list(run.id, thread_id=thread.id):
            if step.step_details.type == "tool_calls":
                for call in step.step_details.tool_calls:
                    print(f"ran: {call.code_interpreter.input!r}")
        print(client.beta.threads.messages.list(thread.id).data[0].content[0].text.value)


if __name__ == "__main__":
    with playground():
        main()
