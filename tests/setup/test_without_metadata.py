"""Builds that leave out `*.dist-info` (AWS Lambda, frozen apps): no package's metadata can be read, and spans arrive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runspan.fake import Server, serve
from tests.support.children import environment, run
from tests.support.otlp import runs
from tests.support.receiver import Receiver

APP = """
import importlib.metadata

def nothing(*_args, **_options):
    return iter(())

import opentelemetry.sdk.trace
from tests.support.app import client, whole_run
app = client()  # httpcore2 reads its own metadata when it is imported, which is not ours to mend
importlib.metadata.MetadataPathFinder.find_distributions = nothing
try:
    importlib.metadata.version("opentelemetry-sdk")
except importlib.metadata.PackageNotFoundError:
    pass
else:
    raise SystemExit("the metadata is still there")
import runspan
runspan.instrument({options})
whole_run(app)
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with serve("text") as server:
        yield server


@pytest.mark.parametrize("options", ["", "set_global=True"], ids=["own provider", "own provider, global"])
def test_spans_arrive_without_package_metadata(options: str, server: Server, receiver: Receiver) -> None:
    done = run(APP.replace("{options}", options), environment(server, receiver))
    assert (done.code, done.out) == (0, ""), done.err
    assert len(runs(receiver)) == 1
