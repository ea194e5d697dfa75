"""`runspan ui`, `runspan fake` and `runspan demo`: what they serve, and how they end."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import urllib.request
from contextlib import closing
from pathlib import Path

import openai
import pytest

from runspan.cli import briefing
from tests.support import receiver as receivers
from tests.support.children import PATIENCE_S
from tests.support.own_network import own_network
from tests.viewer.runs import a_run
from tests.viewer.wire import export, post

from .conftest import Command, line
from .saved import three_runs


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        text: str = answer.read().decode()
    return text


def stop(child: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str, str]:
    os.kill(child.pid, number)
    out, err = child.communicate(timeout=PATIENCE_S)
    return child.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_viewer_takes_and_shows_traces_until_it_is_stopped(command: Command, number: int) -> None:
    with command.started("ui", "--port", "0", "--json") as child:
        told = json.loads(line(child.stdout))
        port = int(told["endpoint"].rpartition(":")[2])
        assert post(port, export(*a_run(1))).status == 200
        assert "How is the weather?" in page(told["url"])
        assert Path(told["db"]) == command.db
        assert stop(child, number) == (0, "", "")
    assert "invoke_agent Weather" in command("tree").stdout  # it is kept


def test_files_are_shown_from_a_store_that_goes_away(command: Command) -> None:
    file = three_runs(command.home / "traces.jsonl")
    with command.started("ui", file, "--port", "0") as child:
        url = line(child.stdout).partition(": ")[2]
        assert "17 * 23?" in page(url)
        assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:" in line(child.stdout)
        assert stop(child)[0] == 0
    assert not command.db.exists()


def test_a_port_that_is_taken_is_told_with_the_way_around(command: Command) -> None:
    with receivers.serve() as receiver:
        ended = command("ui", "--port", str(receiver.port))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "an OTLP receiver" in ended.stderr
    assert f"--port {receiver.port + 1} and OTEL_EXPORTER_OTLP_ENDPOINT=" in ended.stderr


def test_beyond_loopback_there_is_a_token(command: Command) -> None:
    with command.started("ui", "--host", "0.0.0.0", "--port", "0") as child:
        url = line(child.stdout).partition(": ")[2]
        assert "HTTP" in line(child.stdout)
        assert "gRPC" in line(child.stdout)
        assert re.search(r"Authorization=Bearer%20[\w-]{32}", line(child.stdout))
        with pytest.raises(urllib.error.HTTPError, match="401"):
            page(url.partition("?")[0])
        stop(child)


def test_what_is_no_file_of_traces_is_refused(command: Command) -> None:
    (command.home / "odd").write_text("odd")
    ended = command("ui", "odd", "--port", "0")
    assert ended.returncode == 2
    assert "odd" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("ui", "--port", "99999"), 2, "'99999' is no port: write a number from 0 (a free one) to 65535"),
        (("ui", "--grpc-port", "-1"), 2, "'-1' is no port: write a number from 0 (a free one) to 65535"),
        (("demo", "--port", "99999"), 2, "'99999' is no port: write a number from 0 (a free one) to 65535"),
        (("fake", "--port", "99999"), 2, "'99999' is no port: write a number from 0 (a free one) to 65535"),
        (("ui", "--port", "abc"), 2, "'abc' is no port"),
        (("ui", "--port", "0", "--db", "foreign.sqlite"), 2, "foreign.sqlite is a database of another program"),
        (("ui", "--port", "0", "foreign.sqlite"), 2, "foreign.sqlite is a database; a store of the viewer is opened with --db"),
        (("ui", "--port", "0", "--db", "."), 2, "the store . can't be written"),
        (("ui", "--port", "0", "--db", "/proc/nowhere/t.db"), 2, "the store /proc/nowhere/t.db can't be written"),
        (("ui", "--port", "0", "--db", "app.py"), 2, "app.py is not a runspan store"),
        (("ui", "--port", "0", "app.py"), 2, "app.py is no file of traces"),
        (("ui", "--host", "", "--port", "0"), 2, "an address to listen on is needed, such as 127.0.0.1"),
        (("ui", "--port", "0", "--token", "a b"), 2, "a token has only letters, digits and -._~+/="),
        (("ui", "--port", "0", "--token", "schlüssel"), 2, "a token has only letters, digits and -._~+/="),
        (("ui", "--port", "46471", "--grpc-port", "46471"), 1, "port 46471 can't take both HTTP and gRPC"),
        (("ui", "--host", "no.such.host.invalid", "--token", "x"), 1, "can't listen on no.such.host.invalid:4318: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_in_a_line(
    command: Command, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (command.home / "app.py").write_text("no traces\n" * 99)
    with closing(sqlite3.connect(command.home / "foreign.sqlite")) as db:
        db.execute("CREATE TABLE notes (text)")
    before = (command.home / "foreign.sqlite").read_bytes()
    ended = command(*arguments)
    assert (ended.returncode, ended.stdout) == (code, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: ")
    assert said in line
    assert (command.home / "foreign.sqlite").read_bytes() == before


def test_a_grpc_port_that_is_taken_is_told_and_fatal_only_when_it_was_asked_for(command: Command) -> None:
    with receivers.serve() as receiver:
        ended = command("ui", "--port", "0", "--grpc-port", str(receiver.port))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"Error: port {receiver.port} is taken by another program\n"


def test_where_the_usual_grpc_port_is_taken_http_goes_on(tmp_path: Path) -> None:
    done = own_network(["-m", "tests.support.usual_ports", str(tmp_path)])
    if done.returncode == 75:
        pytest.skip("4317 or 4318 is taken, and there is no network of our own")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["alone"] == ["http://127.0.0.1:4318", "http://127.0.0.1:4317", ""]
    said = "Receives OTLP over HTTP only: port 4317 is taken by another program (--grpc-port names another one).\n"
    assert told["taken"] == ["http://127.0.0.1:4318", None, said]
    assert told["switched off"] == ["http://127.0.0.1:4318", None, ""]


def test_the_fake_server_serves_the_real_client(command: Command) -> None:
    with command.started("fake", "--scenario", "failed") as child:
        base_url = line(child.stdout)
        with openai.OpenAI(api_key="none", base_url=base_url) as client:
            assistant = client.beta.assistants.create(model="gpt-4o")
            thread = client.beta.threads.create(messages=[{"role": "user", "content": "?"}])
            runs = client.beta.threads.runs
            run = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=20)
        assert run.status == "failed"
        code, _, err = stop(child, signal.SIGTERM)
        assert (code, err.partition("=")[0]) == (0, "OPENAI_BASE_URL")


def test_the_fake_server_tells_a_port_that_is_taken(command: Command) -> None:
    with receivers.serve() as receiver:
        ended = command("fake", "--port", str(receiver.port))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"can't listen on 127.0.0.1:{receiver.port}" in ended.stderr


def test_the_demo_in_the_terminal_prints_and_ends(command: Command) -> None:
    ended = command("demo", "--terminal")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "6 runs: 5 completed, 1 failed" in ended.stdout
    assert "runspan.instrument()" in ended.stdout
    assert not re.search(r"^span |after its parent|create_agent", ended.stdout, re.MULTILINE)
    longest = re.findall(r"^chain handle_message +\+0 ms +(\d.*?) ━", ended.stdout, re.MULTILINE)
    assert len(longest) == 4


@pytest.mark.skipif(not briefing.is_known(), reason="this openai has no background responses")
def test_the_demo_shows_a_background_response_with_its_tools(command: Command) -> None:
    said = command("demo", "--terminal").stdout
    start = said.index("chain research")
    trace = said[start : said.find("\ntrace ", start)]
    spans = re.findall(r"^[│├└ ─]*(llm|tool) (.*?) +\+", trace, re.MULTILINE)
    assert spans == [
        ("llm", "chat gpt-4.1"),
        ("tool", "execute_tool web_search"),
        ("tool", "execute_tool find_trains"),
        ("llm", "chat gpt-4.1"),
    ]
    assert "tokens 2,210 in (1,024 cached) → 190 out (128 reasoning)" in trace


def test_the_demo_fills_a_viewer(command: Command) -> None:
    with command.started("demo", "--port", "0") as child:
        url = line(child.stdout).partition(": ")[2]
        assert child.stdout is not None
        while not line(child.stdout).startswith("Now look at"):
            assert child.poll() is None
        assert "find_trains" in page(f"{url}?q=find_trains") or "completed" in page(url)
        assert stop(child) == (0, "", "")
    assert not command.db.exists()
