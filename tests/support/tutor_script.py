"""An app that knows nothing of tracing, for `opentelemetry-instrument`."""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ["APP_SERVER"], api_key="none")
assistant = client.beta.assistants.create(model="gpt-4o", name="Math Tutor", instructions="Help.")
thread = client.beta.threads.create(messages=[{"role": "user", "content": "What is 1 + 1?"}])
run = client.beta.threads.runs.create_and_poll(
    thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=20
)
print(run.id, run.status)
