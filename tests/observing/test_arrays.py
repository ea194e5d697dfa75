"""Real numpy and pandas: arrays and frames by their shape, scalars by their value, bounded, and never computed on."""

from __future__ import annotations

import json
from typing import Any

import pytest

import runspan
from runspan.core.redact import Texts
from runspan.observing.capture import Capture
from tests.support.tracing import Traced

from .trees import given, output, span

np = pytest.importorskip("numpy", reason="numpy is not installed: make test-matrix has it")
pd = pytest.importorskip("pandas", reason="pandas is not installed: make test-matrix has it")


def shown(value: Any) -> Any:
    text, is_json = Capture(Texts(), 131_072).value("output", value)
    return json.loads(text) if is_json else text


def frame(rows: int = 2, columns: int = 2) -> Any:
    return pd.DataFrame({f"c{n}": range(rows) for n in range(columns)})


ROWS: dict[str, tuple[Any, Any]] = {
    "array": (np.zeros((3, 4)), "<ndarray shape=(3, 4) dtype=float64>"),
    "huge": (
        np.broadcast_to(np.int8(1), (1 << 20, 1 << 20)),
        "<ndarray shape=(1048576, 1048576) dtype=int8>",
    ),
    "empty": (np.array([]), "<ndarray shape=(0,) dtype=float64>"),
    "0-d": (np.array(7), 7),
    "objects": (np.array([object()]), "<ndarray shape=(1,) dtype=object>"),
    "fields": (
        np.zeros(2, dtype=[("x", "i4"), ("y", "f8")]),
        "<ndarray shape=(2,) dtype=[('x', '<i4'), ('y', '<f8')]>",
    ),
    "float64": (np.float64(1.5), 1.5),
    "float32": (np.float32(0.5), 0.5),
    "int64": (np.int64(7), 7),
    "bool": (np.bool_(True), True),
    "str": (np.str_("text"), "text"),
    "nan": (np.float64("nan"), "nan"),
    "datetime64": (np.datetime64("2024-01-02T03:04"), "2024-01-02T03:04:00"),
    "masked": (np.ma.masked_array([1, 2], [True, False]), "<MaskedArray shape=(2,) dtype=int64>"),
    "frame": (frame(), "<DataFrame shape=(2, 2) columns=[c0, c1]>"),
    "series": (pd.Series([1.0, 2.0], name="price"), "<Series shape=(2,) dtype=float64>"),
    "index": (pd.RangeIndex(5), "<RangeIndex shape=(5,) dtype=int64>"),
    "timestamp": (pd.Timestamp("2024-01-02"), "2024-01-02T00:00:00"),
    "timedelta": (pd.Timedelta(seconds=90), "0 days 00:01:30"),
    "NA": (pd.NA, f"<{type(pd.NA).__module__}.NAType>"),
    "nested": ({"x": np.ones(3), "n": [np.int64(1)]}, {"x": "<ndarray shape=(3,) dtype=float64>", "n": [1]}),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_has_its_form(name: str) -> None:
    value, expected = ROWS[name]
    assert shown(value) == expected


def test_a_frame_of_many_columns_is_bounded() -> None:
    text = shown(frame(1, 5_000))
    assert text.startswith("<DataFrame shape=(1, 5000) columns=[c0, c1, ")
    assert len(text) < 700


def test_a_decorated_function_gets_and_gives_the_very_same_objects(traces: Traced) -> None:
    data, table = np.arange(6).reshape(2, 3), frame()
    before = data.copy(), table.copy()

    @runspan.observe
    def double(values: Any, rows: Any, scale: float = 2.0) -> Any:
        assert values is data
        assert rows is table
        return values

    assert double(data, rows=table) is data
    assert (data == before[0]).all()
    assert table.equals(before[1])
    recorded = span(traces, "double")
    assert given(recorded) == {
        "values": f"<ndarray shape=(2, 3) dtype={data.dtype}>",
        "rows": "<DataFrame shape=(2, 2) columns=[c0, c1]>",
    }
    assert output(recorded) == f"<ndarray shape=(2, 3) dtype={data.dtype}>"


def test_a_generator_of_arrays_is_recorded_by_shapes(traces: Traced) -> None:
    @runspan.observe
    def batches() -> Any:
        for size in (2, 3):
            yield np.zeros(size)

    assert [len(batch) for batch in batches()] == [2, 3]
    assert output(span(traces, "batches")) == [
        "<ndarray shape=(2,) dtype=float64>",
        "<ndarray shape=(3,) dtype=float64>",
    ]


def test_arguments_of_a_tool_are_compared_without_asking_arrays_for_truth() -> None:
    """`array == array` is an array, whose truth value is an error: the call is then taken by its order."""
    from runspan.runtime.tool_claims import _are_equal

    assert _are_equal('{"values": [1, 2]}', {"values": np.array([1, 2])}) is False
