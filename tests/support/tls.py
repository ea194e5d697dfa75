"""A receiver over TLS, whose certificate nobody knows unless it is named."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.listening import Handler

OPENSSL = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
)


def certificate(folder: Path) -> Path:
    folder.mkdir()
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    more = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*OPENSSL.split(), *more, *files], check=True, capture_output=True)
    return folder / "cert.pem"


class TakesAll(Handler):
    def do_POST(self) -> None:
        self.body()
        self.answer(200)


@contextmanager
def serve_tls(folder: Path) -> Iterator[tuple[str, Path]]:
    """(endpoint, the certificate that it shows)."""
    own = certificate(folder / "own")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own, own.with_name("key.pem"))
    with http.server.ThreadingHTTPServer(("localhost", 0), TakesAll) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}", own
        server.shutdown()
