from __future__ import annotations

import json
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


@pytest.mark.parametrize("form", ["json", "indented", "lines", "list", "protobuf"])
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
    "body", [b'{"resourceSpans": 5}', b"{", b"[1]", b'{"resourceSpans": []}\n{', b"\x99\x98nonsense"]
)
def test_what_is_no_otlp_is_refused_with_the_file_named(store: Store, tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(body)
    with pytest.raises(ValueError, match=r"broken\.jsonl"):
        load(store, path)
    assert store.count_spans() == 0
