from __future__ import annotations

import socket
from pathlib import Path

import pytest

from runspan.viewer import PortBusyError, Viewer, serve
from runspan.viewer.web.safety import gate, is_loopback
from tests.support import receiver

from ..runs import a_run
from ..wire import PROTOBUF, call, export, post


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_this_machines_own_names_are_let_in(viewer: Viewer, host: str) -> None:
    assert call(viewer.port, "GET", "/about", headers={"Host": f"{host}:{viewer.port}"}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::", "", "192.168.1.9"]
)
@pytest.mark.parametrize("path", ["/", "/about", "/static/main.js", "/live"])
def test_a_name_that_is_not_this_machines_is_refused(viewer: Viewer, host: str, path: str) -> None:
    # How DNS rebinding would look: the attacker's page is of "the same origin".
    answer = call(viewer.port, "GET", path, headers={"Host": host})
    assert answer.status == 403
    assert b"<html" not in answer.body


def test_an_export_to_a_wrong_name_is_refused_and_changes_nothing(viewer: Viewer) -> None:
    answer = post(viewer.port, export(*a_run(1)), Host="evil.example")
    assert (answer.status, answer.headers["content-type"]) == (403, PROTOBUF)
    assert viewer.store.count_spans() == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
    ids=str,
)
def test_pages_of_other_origins_can_neither_send_nor_read(viewer: Viewer, headers: dict[str, str]) -> None:
    body = {"Content-Type": "application/x-protobuf", **headers}
    assert call(viewer.port, "POST", "/v1/traces", export(*a_run(1)), body).status == 403
    assert call(viewer.port, "GET", "/live", headers=headers).status == 403
    assert (
        "access-control-allow-origin"
        not in call(viewer.port, "OPTIONS", "/v1/traces", headers=headers).headers
    )
    assert viewer.store.count_spans() == 0


def test_its_own_pages_and_links_from_elsewhere_are_let_in(viewer: Viewer) -> None:
    own = {"Origin": f"http://127.0.0.1:{viewer.port}", "Sec-Fetch-Site": "same-origin"}
    assert call(viewer.port, "GET", "/live", headers=own).status == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert call(viewer.port, "GET", "/", headers=link).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/nope", "/static/base.css", "/static/../app.py", "/trace/xx/otlp.json"]
)
def test_every_answer_has_the_strict_headers(viewer: Viewer, path: str) -> None:
    headers = call(viewer.port, "GET", path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["server"] == "runspan"


def test_pages_with_content_are_not_kept_by_the_browser(viewer: Viewer) -> None:
    assert call(viewer.port, "GET", "/").headers["cache-control"] == "no-store"
    assert "immutable" in call(viewer.port, "GET", "/static/base.css?v=1").headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fstore/schema.py"]
)
def test_nothing_beside_the_static_files_is_served(viewer: Viewer, path: str) -> None:
    assert call(viewer.port, "GET", path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/trace/1", "/compare", "/thread", "/live"])
def test_pages_can_only_be_read(viewer: Viewer, method: str, path: str) -> None:
    assert call(viewer.port, method, path, b"").status == 405


def test_an_address_that_is_too_long_is_refused(viewer: Viewer) -> None:
    assert call(viewer.port, "GET", "/?q=" + "x" * 5_000).status == 414


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("box", False),
    ],
)
def test_loopback_is_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_other_machines_are_let_in_only_with_a_token() -> None:
    with pytest.raises(ValueError, match="token"):
        gate("0.0.0.0", 4318, None)
    assert gate("0.0.0.0", 4318, "secret").hosts == frozenset()


def test_a_token_of_base64_works_in_the_link_the_header_and_the_cookie(tmp_path: Path) -> None:
    token = "a+b/c=="
    with serve("127.0.0.1", 0, tmp_path / "traces.db", token=token) as viewer:
        assert viewer.url.endswith("/?token=a%2Bb%2Fc%3D%3D")
        welcome = call(viewer.port, "GET", viewer.url.partition(str(viewer.port))[2])
        assert welcome.status == 303
        cookie = (welcome.headers["set-cookie"] or "").partition(";")[0]
        assert call(viewer.port, "GET", "/about", headers={"Cookie": cookie}).status == 200
        given = {"Authorization": f"Bearer {token}"}
        assert call(viewer.port, "GET", "/about", headers=given).status == 200


@pytest.mark.parametrize("other", ['theme={"dark": true}', "a=two words", "list[0]=1", "alone"], ids=str)
def test_cookies_of_other_apps_on_the_host_lock_nobody_out(tmp_path: Path, other: str) -> None:
    """Cookies know no ports, and browsers send the oldest first."""
    with serve("127.0.0.1", 0, tmp_path / "traces.db", token="s3cret") as viewer:
        welcome = call(viewer.port, "GET", "/?token=s3cret")
        ours = (welcome.headers["set-cookie"] or "").partition(";")[0]
        for cookies in (f"{other}; {ours}", f"{ours}; {other}"):
            assert call(viewer.port, "GET", "/about", headers={"Cookie": cookies}).status == 200
        assert call(viewer.port, "GET", "/about", headers={"Cookie": other}).status == 401


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/?" + "&".join(f"f{n}" for n in range(200)), {}, 401),
        ("/", {"Origin": "http://["}, 403),
        ("/", {"Host": "["}, 403),
        ("/", {"Authorization": "Bearer \xe9", "Cookie": "\xe9=\xe9"}, 401),
    ],
    ids=["many fields", "origin", "host", "no ascii"],
)
def test_whatever_a_stranger_sends_is_refused_and_breaks_nothing(
    tmp_path: Path, path: str, headers: dict[str, str], status: int
) -> None:
    with serve("127.0.0.1", 0, tmp_path / "traces.db", token="s3cret") as viewer:
        assert call(viewer.port, "GET", path, headers=headers).status == status


def test_with_a_token_nobody_gets_in_without_it(tmp_path: Path) -> None:
    with serve("0.0.0.0", 0, tmp_path / "traces.db", token="s3cret") as viewer:
        assert viewer.url == f"http://localhost:{viewer.port}/?token=s3cret"
        for path in ("/", "/live", "/about", "/static/base.css", "/?token=wrong", "/?token="):
            assert call(viewer.port, "GET", path).status == 401
        assert post(viewer.port, export(*a_run(1))).status == 401
        assert post(viewer.port, export(*a_run(1)), Authorization="Bearer wrong").status == 401
        assert viewer.store.count_spans() == 0
        assert post(viewer.port, export(*a_run(1)), Authorization="Bearer s3cret").status == 200
        welcome = call(viewer.port, "GET", "/traces?token=s3cret&q=a%26b")
        assert (welcome.status, welcome.headers["location"]) == (303, "/traces?q=a%26b")
        cookie = welcome.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        inside = call(viewer.port, "GET", "/traces", headers={"Cookie": cookie.partition(";")[0]})
        assert inside.status == 200
        assert "s3cret" not in inside.text
        elsewhere = call(viewer.port, "GET", "//evil.example/?token=s3cret")
        assert not elsewhere.headers.get("location", "").startswith("//")
        # A page of another origin has the browser's cookie sent along, and is refused all the same.
        foreign = {"Cookie": cookie.partition(";")[0], "Origin": "https://evil.example"}
        assert call(viewer.port, "GET", "/traces", headers=foreign).status == 403


@pytest.mark.parametrize("name", ["runspan", "receiver", "mute"])
def test_a_taken_port_names_who_answers_and_the_way_around(tmp_path: Path, name: str) -> None:
    with (
        serve(port=0, db=tmp_path / "a.db") as viewer,
        receiver.serve() as other,
        socket.create_server(("127.0.0.1", 0)) as mute,
    ):
        port, said = {
            "runspan": (viewer.port, "another runspan viewer"),
            "receiver": (other.port, "an OTLP receiver"),
            "mute": (mute.getsockname()[1], "does not answer HTTP"),
        }[name]
        with pytest.raises(PortBusyError, match=said) as busy, serve(port=port, db=tmp_path / "b.db"):
            pass
    assert f"--port {port + 1} and OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:{port + 1}" in str(busy.value)
    assert not (tmp_path / "b.db").exists()
