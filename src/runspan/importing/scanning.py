"""Archives and single objects -> the stage, once each; what can't be read is noted there, and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..apis.archives import Kind, Remark, Unreadable
from . import sources as files
from .documents import Fault as Broken
from .documents import Value
from .exchanges import objects_of
from .recognise import Found, Item, Recorded, recognised
from .reports import Fault
from .runs import attempted
from .sources import Source
from .stage import Stage

COMMIT_VALUES = 2_000
DIRECT = Source("<objects>", "object", 0, 0)  # what `add` was given
RECORDED = "recorded calls"
NAMES: Mapping[Kind, str] = {
    Kind.AGENT: "agents",
    Kind.CONVERSATION: "conversations",
    Kind.MESSAGE: "messages",
    Kind.RUN: "runs",
    Kind.STEP: "steps",
    Kind.INPUTS: "lists of input",
}


class Scanner:
    """`threads`: the only conversations that are wanted; empty: all. `on_fault` is told each fault once a process."""

    def __init__(self, stage: Stage, threads: frozenset[str], on_fault: Callable[[Fault], None]) -> None:
        self._stage = stage
        self._threads = threads
        self._on_fault = on_fault
        self._added = Counter[str]()  # by `add`

    def read(self, paths: Iterable[Path | str]) -> None:
        """Raises OSError."""
        wanted = list(files.sources(map(Path, paths)))
        if not self._stage.knows_only([*wanted, DIRECT]):
            self._stage.clear()
        for source in wanted:
            if self._stage.is_read(source):
                for fault in self._stage.faults(source):
                    self._on_fault(fault)
            else:
                self._scan(source)

    def add(self, obj: Any) -> None:
        """Raises TypeError."""
        number = self._stage.begin(DIRECT, is_new=False)
        for item in recognised(plain(obj)):
            self._put(item, number, 0, self._added, DIRECT.name)

    def found(self) -> dict[str, int]:
        """How many objects of each kind."""
        return dict(sorted((Counter(self._stage.counts()) + self._added).items()))

    def _scan(self, source: Source) -> None:
        number, counts, rows = self._stage.begin(source), Counter[str](), 0
        for value in files.read(source):
            if isinstance(value, Broken):
                self._fault(number, Fault(source.name, value.line, value.reason))
                continue
            why = attempted("read an archive", self._take, value, number, counts, source.name)
            if why is not None:
                self._fault(number, Fault(source.name, value.line, why))
            rows += 1
            if rows % COMMIT_VALUES == 0:
                self._stage.commit()
        self._stage.end(number, counts.items(), is_recorded=counts[RECORDED] > 0)

    def _take(self, value: Value, source: int, counts: Counter[str], name: str) -> None:
        for item in recognised(value.value):
            self._put(item, source, value.line, counts, name)

    def _put(self, item: Item, source: int, line: int, counts: Counter[str], name: str) -> None:
        if isinstance(item, Unreadable):
            self._fault(source, Fault(name, line, item.reason))
        elif isinstance(item, Remark):
            if item.text:
                self._fault(source, Fault(name, line, item.text, is_remark=True))
        elif isinstance(item, Recorded):
            counts[RECORDED] += 1
            self._put_answer(item, source, line)
        else:
            if item.object.kind in NAMES:
                counts[NAMES[item.object.kind]] += 1
            self._stage_if_wanted(item, source, line)

    def _put_answer(self, item: Recorded, source: int, line: int) -> None:
        """Objects of runs whose beginning was not recorded; what else an answer is does not matter."""
        body = objects_of(item.wire)
        for found in recognised(body) if body is not None else ():
            if isinstance(found, Found):
                self._stage_if_wanted(found, source, line)

    def _stage_if_wanted(self, found: Found, source: int, line: int) -> None:
        place = found.object.place
        if not self._threads or not place or place in self._threads:
            self._stage.put(found.api, found.object, source, line)

    def _fault(self, source: int, fault: Fault) -> None:
        self._stage.fault(source, fault)
        self._on_fault(fault)


def plain(obj: Any) -> Any:
    """Models of a client as dicts; a page of a list as all that the list holds, which may ask for further pages."""
    if isinstance(obj, dict):
        return obj
    if not hasattr(obj, "get_next_page"):
        for name in ("model_dump", "as_dict"):  # pydantic's; azure's
            dump = getattr(obj, name, None)
            if callable(dump):
                return dump(mode="json", by_alias=True, warnings=False) if name == "model_dump" else dump()
    if isinstance(obj, Iterable) and not isinstance(obj, str | bytes) and not hasattr(obj, "__aiter__"):
        return [plain(one) for one in obj]
    raise TypeError(f"add() takes objects of an API and lists of them, no {type(obj).__name__}")
