"""A streamed response whose connection breaks: it goes on in the background, and a second stream brings the rest. One span."""

from openai import APIError, OpenAI
from playground import playground

from runspan.fake.responses import Message, Scenario

POEM = "A span has a parent, a parent has a root, and the root has the time of all."


def main() -> None:
    with OpenAI(max_retries=0) as client:
        seen = 0
        stream = client.responses.create(
            model="gpt-4o", input="Write a line about trees.", background=True, stream=True
        )
        try:
            for event in stream:
                seen = event.sequence_number
                if event.type == "response.created":
                    response_id = event.response.id
                elif event.type == "response.output_text.delta":
                    print(event.delta, end="", flush=True)
        except (APIError, OSError):
            pass  # the connection broke, the response goes on
        for event in client.responses.retrieve(response_id, stream=True, starting_after=seen):
            if event.type == "response.output_text.delta":
                print(event.delta, end="", flush=True)
        print()


if __name__ == "__main__":
    with playground(responses=[Scenario((Message(POEM),), cuts=(8,))]):
        main()
