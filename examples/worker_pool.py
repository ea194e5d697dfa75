"""A worker that takes jobs off a queue and does their steps in a thread pool: what a pool does stays in the job's trace."""

from concurrent.futures import ThreadPoolExecutor
from queue import Queue

from openai import OpenAI
from playground import playground

import runspan

JOBS = {"job-1": ["2x = 8", "x - 1 = 0"], "job-2": ["3x + 11 = 14"]}


@runspan.observe
def solve(client: OpenAI, tutor_id: str, equation: str) -> str:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": f"Please solve {equation}."}])
    client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=tutor_id)
    return client.beta.threads.messages.list(thread.id, limit=1).data[0].content[0].text.value


def work(client: OpenAI, queue: Queue[str], pool: ThreadPoolExecutor) -> None:
    tutor = client.beta.assistants.create(model="gpt-4o", name="Tutor", instructions="Be brief.")
    while not queue.empty():
        name = queue.get()
        with runspan.context(session_id=name), runspan.span(name, kind="chain", input=JOBS[name]) as job:
            answers = [pool.submit(solve, client, tutor.id, equation) for equation in JOBS[name]]
            job.update(output=[answer.result() for answer in answers])
        print(f"{name}: {len(answers)} solved")


def main() -> None:
    queue: Queue[str] = Queue()
    for name in JOBS:
        queue.put(name)
    with OpenAI() as client, ThreadPoolExecutor(2) as pool:
        work(client, queue, pool)


if __name__ == "__main__":
    with playground():
        main()
