"""Archives and single objects -> the stage, once each; what can't be read is noted there, and told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..apis.archives import Remark, Unreadable
from . import sources as files
from .documents import Fault as Broken
from .documents import Value
from .exchanges import objects_of
from .recognise import Found, Item, Recorded, recognised
from .reports import Fault
from .runs import attempted
from .sources import Pipes, Source
from .stage import Stage

COMMIT_VALUES = 2_000
DIRECT = Source("<objects>", "object")  # what `add` was given


class Scanner:
    """`on_fault` is told each fault once a process. `but`: real paths of files that belong to no archive."""

    def __init__(
        self, stage: Stage, on_fault: Callable[[Fault], None], but: frozenset[str], pipes: Pipes
    ) -> None:
        self._stage = stage
        self._on_fault = on_fault
        self._but = but
        self._pipes = pipes
        self._alike: list[Fault] = []  # not told yet

    def read(self, paths: Iterable[Path | str]) -> None:
        """Raises OSError."""
        wanted = list(files.sources(map(Path, paths), self._but, self._pipes))
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
            self._put(item, number, 0, DIRECT.name)
        self._tell(number)

    def _scan(self, source: Source) -> None:
        number, rows, recorded = self._stage.begin(source), 0, 0
        for value in files.read(source):
            if isinstance(value, Broken):
                self._fault(number, Fault(source.name, value.line, value.reason))
                continue
            items: list[Item] = []
            why = attempted("read an archive", self._take, value, number, items, source.name)
            recorded += sum(isinstance(item, Recorded) for item in items)
            if why is not None:
                self._fault(number, Fault(source.name, value.line, why))
            rows += 1
            if rows % COMMIT_VALUES == 0:
                self._stage.commit()
        self._tell(number)
        self._stage.end(number, recorded)

    def _take(self, value: Value, source: int, items: list[Item], name: str) -> None:
        items += recognised(value.value)
        for item in items:
            self._put(item, source, value.line, name)

    def _put(self, item: Item, source: int, line: int, name: str) -> None:
        if isinstance(item, Unreadable):
            self._fault(source, Fault(name, line, item.reason))
        elif isinstance(item, Remark):
            if item.text:
                self._fault(source, Fault(name, line, item.text, is_remark=True))
        elif isinstance(item, Recorded):
            # Objects of runs whose beginning was not recorded; what else an answer is does not matter.
            body = objects_of(item.wire)
            for found in recognised(body) if body is not None else ():
                if isinstance(found, Found):
                    self._stage.put(found.api, found.object, source, line, falls=found.falls)
        else:
            self._stage.put(item.api, item.object, source, line, falls=item.falls)

    def _fault(self, source: int, fault: Fault) -> None:
        """Lines that follow one another and can't be read for one reason are told once."""
        if self._alike and (self._alike[0].reason, self._alike[0].is_remark) != (
            fault.reason,
            fault.is_remark,
        ):
            self._tell(source)
        self._alike.append(fault)

    def _tell(self, source: int) -> None:
        if not self._alike:
            return
        fault, number = self._alike[0], len(self._alike)
        if number > 1:
            fault = replace(fault, reason=f"{fault.reason} ({number:,} times)")
        self._alike.clear()
        self._stage.fault(source, fault)
        self._on_fault(fault)


def plain(obj: Any) -> Any:
    """Models of a client as dicts; a page of a list as one page with all that the list holds, which may ask for further ones."""
    if isinstance(obj, dict):
        return obj
    if not hasattr(obj, "get_next_page"):
        for name in ("model_dump", "as_dict"):  # pydantic's; azure's
            dump = getattr(obj, name, None)
            if callable(dump):
                return dump(mode="json", by_alias=True, warnings=False) if name == "model_dump" else dump()
    if isinstance(obj, Iterable) and not isinstance(obj, str | bytes) and not hasattr(obj, "__aiter__"):
        found = [plain(one) for one in obj]
        return {"object": "list", "data": found} if hasattr(obj, "get_next_page") else found
    raise TypeError(f"add() takes objects of an API and lists of them, no {type(obj).__name__}")
