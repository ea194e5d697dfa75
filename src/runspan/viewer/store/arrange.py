"""Which run each span belongs to, found for a few new spans at a time.

A span belongs to the nearest run at or above it; a model call without one makes a row of its own, which holds what is
below it. Spans come in any order: when a parent arrives after its children, the part of the tree below it that has
no run yet moves into the parent's. Every span moves at most twice, so the work is linear in the spans that come,
however long their trace is already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runspan.viewer.store.facts import Facts
from runspan.viewer.store.summary import Amounts, Calls, add, has_tokens, nothing

TOOLS = frozenset({"tool", "find"})
MAX_NESTED = 100  # runs inside each other whose sums are followed


@dataclass(slots=True, eq=False)
class Node:
    """A span as far as its place in the tree goes. `row`: the id of its run. `in_call`: whether a model call that tells its
    tokens is at or above it, so that calls below repeat them."""

    span: bytes
    parent: bytes | None
    start_ns: int
    kind: str
    facts: Facts | None
    row: int | None = None
    in_call: bool = False
    has_moved: bool = False

    @property
    def sort(self) -> str:
        return "" if self.facts is None else self.facts.sort


@dataclass(slots=True, eq=False)
class RunState:
    """One row of the runs table. `sent`: the sums that the run outside of it, or the trace, holds of it."""

    id: int
    node: Node
    end_ns: int
    service: str
    own: Facts
    calls: Calls = field(default_factory=Calls)
    outer: int | None = None
    sent: Amounts = field(default_factory=nothing)
    sent_to: int | None = None
    is_new: bool = True


class Arrangement:
    """The new spans of one trace, put into what is stored of it.

    `stored` gives nodes by their ids, `children` those below some, `run` a row by its id; all for what is stored.
    """

    def __init__(
        self,
        stored: Callable[[Sequence[bytes]], Iterable[Node]],
        children: Callable[[Sequence[bytes]], Iterable[Node]],
        run: Callable[[int], RunState],
        next_id: Callable[[], int],
    ) -> None:
        self._stored, self._children, self._run, self._next_id = stored, children, run, next_id
        self.nodes: dict[bytes, Node] = {}
        self.new_below: dict[bytes, list[Node]] = {}
        self.runs: dict[int, RunState] = {}
        self.dissolved: set[int] = set()
        self.changed: dict[int, RunState] = {}
        self.trace_sums = nothing()  # what the trace has more, or less, than before

    def add(self, new: Mapping[bytes, Node], ends: Mapping[bytes, tuple[int, str]]) -> None:
        """Place the new nodes. `ends`: (end, service) of those that are runs or model calls."""
        self.nodes.update(new)
        for node in new.values():
            if node.parent is not None:
                self.new_below.setdefault(node.parent, []).append(node)
        above = {node.parent for node in new.values() if node.parent is not None and node.parent not in new}
        for node in self._stored(list(above)):
            self.nodes.setdefault(node.span, node)
        placed: set[bytes] = set()
        for node in new.values():
            for one in reversed(self._path(node, new, placed)):
                self._place(one, self._parent(one, placed, new), ends)
                placed.add(one.span)
        for node in self._children(list(new)):
            self._adopt(self.nodes.setdefault(node.span, node), self.nodes[node.parent or b""])
        self._settle()

    def _path(self, node: Node, new: Mapping[bytes, Node], placed: set[bytes]) -> list[Node]:
        """The node and its new ancestors that have no place yet, from below; a circle ends where it began."""
        path: dict[bytes, Node] = {}
        at: Node | None = node
        while at is not None and at.span not in placed and at.span not in path:
            path[at.span] = at
            at = new.get(at.parent) if at.parent is not None else None
        return list(path.values())

    def _parent(self, node: Node, placed: set[bytes], new: Mapping[bytes, Node]) -> Node | None:
        parent = self.nodes.get(node.parent) if node.parent is not None else None
        is_circle = parent is not None and parent.span in new and parent.span not in placed
        return None if is_circle else parent

    def _place(self, node: Node, parent: Node | None, ends: Mapping[bytes, tuple[int, str]]) -> None:
        row = None if parent is None else parent.row
        is_inside = parent is not None and row is not None and parent.in_call
        if node.facts is not None and (node.sort == "run" or row is None):
            end_ns, service = ends[node.span]
            state = RunState(self._next_id(), node, end_ns, service, node.facts, outer=row)
            self.runs[state.id] = self.changed[state.id] = state
            node.row, node.in_call = state.id, node.sort == "llm" and has_tokens(node.facts)
            return
        self._belong(node, row, is_inside)

    def _belong(self, node: Node, row: int | None, is_inside: bool) -> None:
        """The node is below run `row`, inside of a call that tells its tokens or not."""
        node.row, node.in_call = (
            row,
            row is not None and (is_inside or (node.sort == "llm" and has_tokens(node.facts))),
        )
        node.has_moved = True
        if row is None:
            return
        if node.facts is not None and not is_inside:
            self._change(row).calls.take(node.span, node.start_ns, node.facts)
        if node.kind in TOOLS:
            self._change(row).calls.tools += 1

    def _adopt(self, child: Node, parent: Node) -> None:
        """A stored child, with all that is below it, when its parent has come."""
        if parent.row is None:
            return
        level = [(child, parent)]
        seen = {parent.span}
        while level:
            moved: list[Node] = []
            for node, above in level:
                if node.span in seen:
                    continue
                seen.add(node.span)
                if self._moves(node, above):
                    moved.append(node)
            level = [(below, node) for node in moved for below in self.new_below.get(node.span, ())]
            by_id = {node.span: node for node in moved}
            for below in self._children(list(by_id)):
                below = self.nodes.setdefault(below.span, below)
                level.append((below, by_id[below.parent or b""]))

    def _moves(self, node: Node, above: Node) -> bool:
        """Whether the node goes over into the run of the one above it; a run keeps its row and is only put inside."""
        if node.sort == "run":
            state = self._change(node.row or 0)
            if (state.outer is None or state.outer in self.dissolved) and not self._holds(
                state.id, above.row
            ):
                state.outer = above.row
            return False
        owns = node.sort == "llm" and node.row is not None and self._get(node.row).node.span == node.span
        if node.row is not None and not owns and node.row not in self.dissolved:
            return False
        if owns and node.row is not None:
            if node.row == above.row:
                return False
            self._dissolve(node.row)
        self._belong(node, above.row, above.in_call)
        return True

    def _holds(self, inner: int, outer: int | None) -> bool:
        """Whether `outer` is already inside of `inner`, as in circles of parents."""
        for _ in range(MAX_NESTED):
            if outer is None or outer == inner:
                return outer == inner
            outer = self._get(outer).outer
        return True

    def _dissolve(self, row: int) -> None:
        state = self._get(row)
        self._give(state.sent_to, state.sent, -1)
        self.dissolved.add(row)
        self.changed.pop(row, None)

    def _get(self, row: int) -> RunState:
        if row not in self.runs:
            self.runs[row] = self._run(row)
        return self.runs[row]

    def _change(self, row: int) -> RunState:
        state = self.changed[row] = self._get(row)
        return state

    def _give(self, row: int | None, amounts: Amounts, sign: int) -> None:
        if row is None:
            add(self.trace_sums, amounts, sign)
        elif row not in self.dissolved:
            add(self._change(row).calls.nested, amounts, sign)

    def _settle(self) -> None:
        """Pass the sums on, from inner runs to outer ones and to the trace."""
        waiting = list(self.changed.values())
        for _ in range(MAX_NESTED):
            following: dict[int, RunState] = {}
            for state in waiting:
                amounts = state.calls.amounts(state.own)
                if amounts == state.sent and state.outer == state.sent_to:
                    continue
                self._give(state.sent_to, state.sent, -1)
                self._give(state.outer, amounts, 1)
                state.sent, state.sent_to = amounts, state.outer
                if state.outer is not None:
                    following[state.outer] = self._get(state.outer)
            waiting = list(following.values())
            if not waiting:
                break
