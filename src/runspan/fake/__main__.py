"""python -m runspan.fake: prints its base URL on the first line and serves until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys

from runspan.fake.dialects import DIALECTS
from runspan.fake.library import SCENARIOS
from runspan.fake.responses.library import SCENARIOS as RESPONSES
from runspan.fake.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m runspan.fake", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--scenario", default="default", choices=SCENARIOS, metavar="NAME", help=", ".join(SCENARIOS)
    )
    parser.add_argument(
        "--responses", default="default", choices=RESPONSES, metavar="NAME", help=", ".join(RESPONSES)
    )
    parser.add_argument("--dialect", choices=DIALECTS, metavar="NAME", help=", ".join(DIALECTS))
    options = parser.parse_args()
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # inherited by the server's thread: only we hear them
    where = {"host": options.host, "port": options.port}
    with serve(options.scenario, responses=options.responses, dialect=options.dialect, **where) as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        signal.sigwait(stops)


if __name__ == "__main__":
    main()
