"""`make demo UI=1`, as a process."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
from urllib.parse import urlsplit


def test_the_demo_stays_open_in_the_viewer_until_ctrl_c() -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "runspan.cli", "demo", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background may have made Ctrl-C unheard.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert demo.stdout is not None
        said = ""
        for line in demo.stdout:
            said += line
            if line.startswith("Now look at"):
                break
        assert "grace: 2 runs with Travel Desk" in said
        assert "lin: 2 runs with gpt-4.1 in the background" in said
        address = urlsplit(line.split()[3])
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        connection.request("GET", "/")
        page = connection.getresponse().read().decode()
        connection.close()
        assert page.count("data-row") == 13
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=30)
        assert (demo.returncode, errors) == (0, "")
    finally:
        demo.kill()
        demo.wait()
