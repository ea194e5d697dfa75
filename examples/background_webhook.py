"""A response whose end a webhook tells: the app asks once to create it, once to read it, and never polls."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from openai import OpenAI
from playground import playground

from runspan.fake.responses import SECRET, Message, Scenario

READ = threading.Event()


class Webhook(BaseHTTPRequestHandler):
    """In your app: a route of its web framework, perhaps in another process than the one that creates responses."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        with OpenAI(webhook_secret=SECRET) as client:
            event = client.webhooks.unwrap(body, dict(self.headers))
            self.send_response(204)
            self.end_headers()
            if event.type == "response.completed":
                print(client.responses.retrieve(event.data.id).output_text)
                READ.set()

    def log_message(self, *_: object) -> None:
        """No line for each request."""


def main() -> None:
    with OpenAI() as client:
        client.responses.create(model="gpt-4o", input="Why do rivers bend?", background=True)
        READ.wait(10)


if __name__ == "__main__":
    with HTTPServer(("127.0.0.1", 0), Webhook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with playground(
            responses=[Scenario((Message("The outer bank wears away faster."),), queue_s=0.1)],
            webhook=f"http://127.0.0.1:{server.server_port}/webhook",
        ):
            main()
        server.shutdown()
