"""A response in the background, polled until it is over: one span with usage and answer, none for a poll."""

import time

from openai import OpenAI
from playground import playground

from runspan.fake.responses import Message, Scenario


def main() -> None:
    with OpenAI() as client:
        response = client.responses.create(
            model="gpt-4o", instructions="Be brief.", input="Why do rivers bend?", background=True
        )
        while response.status in ("queued", "in_progress"):
            time.sleep(0.05)
            response = client.responses.retrieve(response.id)
        print(f"{response.status}: {response.output_text}")


if __name__ == "__main__":
    with playground(responses=[Scenario((Message("The outer bank wears away faster."),), queue_s=0.1)]):
        main()
