from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from runspan.viewer.store import RunFilter, Store
from runspan.viewer.store.files import load
from runspan.viewer.web import otlp_json

from ..runs import a_run
from ..wire import export
from .conftest import Put


def exported(store: Store, put: Put) -> dict[str, object]:
    put(*a_run(5))
    body = otlp_json.export(store.packed(f"{5:032x}"))
    assert body is not None
    data = json.loads(body)
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize(
    "form", ["json", "indented", "lines", "list", "protobuf", "BOM", "UTF-16", "UTF-16 BE"]
)
def test_files_of_every_form_are_read(store: Store, put: Put, tmp_path: Path, form: str) -> None:
    data = exported(store, put)
    bodies = {
        "json": json.dumps(data).encode(),
        "indented": json.dumps(data, indent=2).encode(),
        "lines": b"".join(
            json.dumps({"resourceSpans": [one]}).encode() + b"\n\n" for one in data["resourceSpans"]
        ),  # type: ignore[attr-defined]
        "list": json.dumps([data, data]).encode(),
        "protobuf": export(*a_run(5)),
        "BOM": b"\xef\xbb\xbf" + json.dumps(data).encode(),
        "UTF-16": json.dumps(data).encode("utf-16"),
        "UTF-16 BE": b"\xfe\xff" + json.dumps(data, indent=1).encode("utf-16-be"),
    }
    path = tmp_path / "file"
    path.write_bytes(bodies[form])
    with Store(tmp_path / "other.db") as other:
        assert load(other, path) == (8 if form == "list" else 4)
        assert other.runs(RunFilter()) == store.runs(RunFilter())
        assert other.spans(f"{5:032x}") == list(a_run(5))


def test_a_download_has_hex_ids_and_numbers_for_enums(store: Store, put: Put) -> None:
    data = exported(store, put)
    span = data["resourceSpans"][0]["scopeSpans"][0]["spans"][1]  # type: ignore[index]
    assert (span["traceId"], span["spanId"], span["kind"]) == (f"{5:032x}", f"{2:016x}", 3)
    assert otlp_json.export(store.packed("00")) is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"resourceSpans": 5}', ", line 1 is not OTLP JSON"),
        (b"{\n", " is no file of traces: neither JSON nor JSON lines"),
        (b"[1]", " is not OTLP JSON"),
        (b'{"resourceSpans": []}\n{\n', ", line 2 is not OTLP JSON"),
        (
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}\n',
            ", line 1 is not OTLP JSON: traceId is not hex",
        ),
        (b"\x99\x98nonsense", " is no file of traces: neither OTLP JSON nor OTLP protobuf"),
        (gzip.compress(b'{"resourceSpans": []}\n' * 9, mtime=0)[:-9], " ends in the middle of its gzip data"),
        (gzip.compress(b"\x99\x98nonsense", mtime=0), " is no file of traces"),
    ],
)
def test_what_is_no_otlp_is_refused_with_the_file_named(
    store: Store, tmp_path: Path, body: bytes, said: str
) -> None:
    """In a line without the words of protobuf."""
    path = tmp_path / "broken.jsonl"
    path.write_bytes(body)
    with pytest.raises(ValueError, match=r"broken\.jsonl") as refused:
        load(store, path)
    assert f"{path}{said}" in str(refused.value)
    assert not re.search("protobuf(?!$)|Message|parse", str(refused.value).replace(str(path), ""))
    assert store.count_spans() == 0


def test_a_packed_file_is_read_as_the_plain_one(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "traces.pb.gz"
    path.write_bytes(gzip.compress(export(*a_run(5))))
    assert load(store, path) == 4


@pytest.mark.parametrize("cut", [1, 40, -1])
def test_a_half_written_last_line_is_left_out_and_told(
    store: Store, put: Put, tmp_path: Path, cut: int
) -> None:
    """A program that is ended while it writes leaves one."""
    line = json.dumps(exported(store, put)).encode()
    path = tmp_path / "traces.jsonl"
    path.write_bytes(line + b"\n" + line[:cut])
    said: list[str] = []
    with Store(tmp_path / "other.db") as other:
        assert load(other, path, said.append) == 4
    assert said == [f"{path}, line 2 is half-written and was left out."]
    path.write_bytes(line + b"\n" + line)  # whole, but for its end
    with Store(tmp_path / "third.db") as other:
        assert load(other, path, said.append) == 8
    assert len(said) == 1
