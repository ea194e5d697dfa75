"""A streamed run with an event handler. The trace also tells when the first text came."""

from openai import AssistantEventHandler, OpenAI
from openai.types.beta.threads import Text, TextDelta
from playground import playground

from runspan.fake import Message, Scenario


class Printer(AssistantEventHandler):
    """Overrides what it needs and calls no `super()`: runspan does not depend on it."""

    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        print(delta.value, end="", flush=True)

    def on_text_done(self, text: Text) -> None:
        print()


def main() -> None:
    with OpenAI() as client:
        poet = client.beta.assistants.create(
            model="gpt-4o", name="Poet", instructions="Write a line about trees."
        )
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Begin."}])
        with client.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id=poet.id, event_handler=Printer()
        ) as stream:
            stream.until_done()
        print(stream.get_final_run().status)


if __name__ == "__main__":
    with playground(Scenario(phases=(Message("A span has a parent, a parent has a root.", token_s=0.01),))):
        main()
