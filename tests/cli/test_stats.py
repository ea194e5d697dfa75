"""`runspan stats`: sums and percentiles, held against whole expected values."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runspan.cli.group import cli
from runspan.viewer.store.numbers import percentile
from tests.viewer.runs import a_run

from .saved import save, three_runs


def stats(*arguments: object, width: int = 130) -> Result:
    return CliRunner().invoke(cli, ["stats", *map(str, arguments)], env={"COLUMNS": str(width)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return three_runs(tmp_path / "traces.jsonl")


def test_a_terminal_of_ascii_has_a_hyphen_for_what_is_not_known(tmp_path: Path) -> None:
    file = save(tmp_path / "traces.jsonl", a_run(1))
    told = CliRunner(charset="ascii").invoke(cli, ["stats", str(file), "--by", "user"])
    assert told.stdout.splitlines()[1].startswith("-  ")


def test_json_holds_the_sums_of_each_group(file: Path) -> None:
    told = json.loads(stats(file, "--json").stdout)
    first, second = told["groups"]
    assert first == {
        "assistant": "Weather",
        "model": "gpt-4o-2024",
        "runs": 2,
        "failed": 0,
        "unfinished": 0,
        "statuses": {"completed": 2},
        "input_tokens": 400,
        "output_tokens": 40,
        "cached_tokens": None,
        "cost_usd": 0.025,
        "runs_without": {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 2, "cost_usd": 0},
        "latency_s": {"p50": 1.75, "p90": 1.75, "p95": 1.75, "p99": 1.75, "max": 1.75},
        "queue_s": {"p50": 0.25, "p90": 0.25, "p95": 0.25, "p99": 0.25, "max": 0.25},
        "tool_wait_s": {"p50": 0.5, "p90": 0.5, "p95": 0.5, "p99": 0.5, "max": 0.5},
        "first_token_s": {"p50": None, "p90": None, "p95": None, "p99": None, "max": None},
    }
    assert (second["assistant"], second["failed"], second["input_tokens"]) == ("Math Tutor", 1, 200)
    assert (told["total"]["runs"], told["total"]["input_tokens"], told["total"]["failed"]) == (3, 600, 1)


def test_groups_are_those_asked_for(file: Path) -> None:
    told = json.loads(stats(file, "--json", "--by", "status", "--by", "status").stdout)
    assert [(g["status"], g["runs"]) for g in told["groups"]] == [("completed", 2), ("failed", 1)]
    assert "assistant" not in told["groups"][0]


def test_options_choose_runs(file: Path) -> None:
    assert json.loads(stats(file, "--json", "--status", "failed").stdout)["total"]["runs"] == 1
    none = stats(file, "--status", "expired")
    assert (none.exit_code, none.stdout) == (1, "")
    assert none.stderr.startswith("Error: no run has --status 'expired'")


WIDE = "assistant model runs failed tokens in out cost median longest queued"


@pytest.mark.parametrize(
    ("width", "head"),
    [
        (130, WIDE),
        (88, WIDE),
        (80, WIDE.removesuffix(" queued")),
        (60, "assistant model runs failed cost median"),
        (40, "assistant model runs failed"),
        (20, "ass… model runs"),
    ],
)
def test_it_is_a_table_with_the_columns_that_there_is_room_for(file: Path, width: int, head: str) -> None:
    lines = stats(file, width=width).stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == 4  # the head, two groups, the sums
    if width > 20:
        assert " ".join(lines[0].split()) == head


def test_the_numbers_are_written_as_people_write_them(tmp_path: Path) -> None:
    file = three_runs(tmp_path / "few.jsonl")
    _, weather, tutor, whole = (re.split(r"\s{2,}", line.strip()) for line in stats(file).stdout.splitlines())
    assert weather == ["Weather", "gpt-4o-2024", "2", "400", "40", "$0.0250", "1.75 s", "1.75 s", "250 ms"]
    assert tutor[:5] == ["Math Tutor", "gpt-4o-2024", "1", "1", "200"]
    assert whole[:3] == ["all", "3", "1"]
    many = save(tmp_path / "many.jsonl", *(a_run(n, tokens=(12_345, 1)) for n in range(1, 21)))
    head, only = stats(many).stdout.splitlines()
    assert "p95" in head  # of twenty runs it says something that the longest does not
    assert "246,900" in only


def test_foreign_names_can_not_steer_the_terminal(tmp_path: Path) -> None:
    name = {"gen_ai.agent.name": "\x1b[31mevil\u202e\x9b2J [bold]x[/]"}
    file = save(tmp_path / "x", a_run(1, more=name), a_run(2, more=name))
    for width in (40, 130):
        shown = stats(file, width=width).stdout
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
        assert "[bold]" in shown.replace("\n", "")


def test_an_unknown_price_is_told(tmp_path: Path) -> None:
    known, unknown = a_run(1), a_run(2)
    for span in unknown:
        dict.pop(span.attributes, "gen_ai.usage.cost", None)  # type: ignore[arg-type]
    file = save(tmp_path / "x", known, unknown)
    assert "≥ $0.0125" in stats(file).stdout
    assert json.loads(stats(file, "--json").stdout)["total"]["runs_without"]["cost_usd"] == 1


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([3], 99, 3),
        ([1, 2], 50, 1.5),
        ([4, 1, 3, 2], 50, 2.5),
        (range(101), 95, 95),
        ([1, 2], 100, 2),
    ],
)
def test_percentiles_lie_between_the_nearest_values(
    values: list[float], percent: float, expected: float | None
) -> None:
    assert percentile(values, percent) == expected
