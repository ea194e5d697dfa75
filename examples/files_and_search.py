"""A file, a vector store and file search: the answer cites the file, the trace shows what was searched."""

from openai import OpenAI
from playground import playground

import runspan
from runspan.fake import FileCitation, FileSearch, Message, Scenario, Text, Tools

NOTES = b"The heron stands still. The swift sleeps in the air."
CITING = Scenario(phases=(Tools((FileSearch(),)), Message((Text("In the air.", (FileCitation(),)),))))


def main() -> None:
    with OpenAI() as client:
        file = client.files.create(file=("birds.txt", NOTES), purpose="assistants")
        store = client.vector_stores.create(name="birds", file_ids=[file.id])
        librarian = client.beta.assistants.create(
            model="gpt-4o",
            name="Librarian",
            tools=[{"type": "file_search"}],
            tool_resources={"file_search": {"vector_store_ids": [store.id]}},
        )
        thread = client.beta.threads.create(
            messages=[{"role": "user", "content": "Where does the swift sleep?"}]
        )
        client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=librarian.id)

        text = client.beta.threads.messages.list(thread.id).data[0].content[0].text
        cited = [client.files.retrieve(a.file_citation.file_id).filename for a in text.annotations]
        print(f"{text.value} {cited}")
        runspan.flush()  # the app read no steps; they are fetched through its client, while that is open


if __name__ == "__main__":
    with playground(CITING.but(poll_after_ms=5)):
        main()
