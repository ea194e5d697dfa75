"""One staged conversation after the other: its runs in time, each given the messages up to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..apis.archives import Archive, Kind, Past, PastCall, Turn, When, stamps_of
from ..core.fields import Wire
from ..core.timing import SECOND_NS
from ..guard import swallow
from .past_spans import PastSpans
from .player import Player
from .reports import Fault
from .stage import Row, Stage
from .stamps import Times

TICK_NS = 1_000
FAILED = "runspan failed on it"
NO_TIME = "a run without any time: created_at, started_at and the like are all unset"


def attempted(site: str, act: Callable[..., object], *given: object) -> str | None:
    """Why it could not be done; None: it could. What one object costs us is no reason to leave the others out."""
    try:
        act(*given)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        swallow(site, error)
        return f"{FAILED} ({type(error).__name__})"
    return None


class StagedRuns:
    """`left_out` is told what can't be played, `step` is called behind each run.

    Runs that are out already are played, too, and make no spans: what they brought is what later ones go on with.
    """

    def __init__(
        self,
        stage: Stage,
        player: Player,
        spans: PastSpans,
        left_out: Callable[[Fault], None],
        step: Callable[[], None],
    ) -> None:
        self._stage = stage
        self._player = player
        self._spans = spans
        self._left_out = left_out
        self._step = step

    def play(self, archive: Archive, place: str) -> None:
        """All runs of one conversation. Raises what `step` raises."""
        api = archive.api
        messages = _Messages(self._stage.rows(api.name, Kind.MESSAGE, place))
        conversation = self._stage.one(api.name, Kind.CONVERSATION, place, place)
        for row in self._stage.rows(api.name, Kind.RUN, place):
            self._guarded(row, lambda row=row: self._run(archive, place, row, messages, conversation))  # type: ignore[misc]
        if self._stage.has_other_answers(api.name, place):
            known = self._stage.run_ids(api.name, place)
            self._turns(archive, place, conversation, known)

    def _guarded(self, row: Row, act: Callable[[], None]) -> None:
        before = self._player.tracker.dropped["error"]
        why = attempted("import a run", act)
        if why is not None or self._player.tracker.dropped["error"] > before:
            self._tell(row, why or FAILED)
        self._step()

    def _tell(self, row: Row, why: str) -> None:
        self._left_out(Fault(self._stage.name_of(row.source), row.line, f"{row.id}: {why}"))

    # ------------------------------------------------------------ runs

    def _run(
        self, archive: Archive, place: str, row: Row, messages: _Messages, conversation: Row | None
    ) -> None:
        api = archive.api
        past = Past(row.wire, row.id, place, conversation=_wire(conversation))
        steps = list(self._stage.rows(api.name, Kind.STEP, place, row.id))
        found = (self._stage.one(api.name, Kind.INPUTS, row.id, where, row.id) for where in (place, row.id))
        inputs = next(filter(None, found), None)
        past.steps = [step.wire for step in steps]
        has_mark = self._stage.one(api.name, Kind.ALL_STEPS, row.id, place, row.id) is not None
        past.has_all_steps = has_mark or bool(steps)
        past.inputs = None if inputs is None else inputs.wire.get("items")
        agent_id = archive.agent_of(row.wire)
        agent = self._stage.one(api.name, Kind.AGENT, agent_id) if agent_id else None
        past.agent = _wire(agent)
        when = _When.of(archive, past)
        past.after = messages.last_id
        given = [] if api.runs_apart else messages.until(when.last_at if when else row.at, row.id)
        past.messages = [message.wire for message in given]
        if when is None:
            self._tell(row, NO_TIME)
            return
        self._played(archive, past, when)

    def _played(self, archive: Archive, past: Past, when: _When) -> None:
        key = past.run_id if archive.api.runs_apart else past.place
        for call in archive.calls(past):
            self._call(archive, call, when.times(call.when))
            if call.when is When.CREATED and (live := self._player.live(key, past.run_id)) is not None:
                self._player.anchor(live, when.created_at, when.alive_at_ns)
        self._player.finish()

    def _call(self, archive: Archive, call: PastCall, times: Times) -> None:
        found = archive.api.match(call.method, call.path)
        if found is None:
            raise LookupError(call.path)
        self._player.call(archive.api, found, times, call.sent, call.query, call.received)

    # ------------------------------------------------------------ messages alone

    def _turns(self, archive: Archive, place: str, conversation: Row | None, known: set[str]) -> None:
        """Answers whose runs are in no archive: one run for all of one run's, or for those between two questions."""
        rows = self._stage.rows(archive.api.name, Kind.MESSAGE, place)
        after: str | None = None
        for turn, last in _turns(place, rows, known):
            self._spans.is_derived = True
            try:
                self._guarded(
                    last,
                    lambda turn=turn, last=last, after=after: self._turn(  # type: ignore[misc]
                        archive, turn, last, conversation, after
                    ),
                )
            finally:
                self._spans.is_derived = False
            after = last.id

    def _turn(
        self, archive: Archive, turn: Turn, last: Row, conversation: Row | None, after: str | None
    ) -> None:
        past = archive.turn(turn)
        past.conversation = _wire(conversation)
        agent_id = archive.agent_of(past.run)
        agent = self._stage.one(archive.api.name, Kind.AGENT, agent_id) if agent_id else None
        past.agent = _wire(agent)
        past.after = after
        past.messages = (
            []
            if archive.api.runs_apart
            else [*turn.questions, *({**m, "run_id": turn.run_id} for m in turn.answers)]
        )
        at = turn.began_at if turn.began_at is not None else turn.ended_at
        if at is None:
            self._tell(last, NO_TIME)
        else:
            self._played(archive, past, _When(at, turn.ended_at or at, has_end=turn.ended_at is not None))


def _turns(place: str, rows: Iterator[Row], known: set[str]) -> Iterator[tuple[Turn, Row]]:
    """(turn, its last message). Of questions alone there is none. What `known` runs wrote is theirs, and so are the questions."""
    questions: list[Row] = []
    answers: list[Row] = []
    for row in rows:
        if answers and (not row.is_answer or row.run_id != answers[-1].run_id):
            yield _made(place, questions, answers), answers[-1]
            questions, answers = [], []
        if not row.is_answer:
            questions.append(row)
        elif row.run_id in known or (known and not row.run_id):
            questions = []
        else:
            answers.append(row)
    if answers:
        yield _made(place, questions, answers), answers[-1]


def _made(place: str, questions: list[Row], answers: list[Row]) -> Turn:
    asked = [row.at for row in questions if row.at is not None]
    answered = [row.at for row in answers if row.at is not None]
    return Turn(
        run_id=answers[0].run_id or f"turn_{answers[0].id}",
        place=place,
        began_at=max(asked, default=min(answered, default=None)),
        ended_at=max(answered, default=None),
        questions=[row.wire for row in questions],
        answers=[row.wire for row in answers],
    )


def _wire(row: Row | None) -> Wire | None:
    return None if row is None else row.wire


class _Messages:
    """Of one conversation, taken as its runs come to them."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._next: Row | None = next(rows, None)
        self.last_id: str | None = None

    def until(self, at: int | None, run_id: str) -> list[Row]:
        """Those that were there when the run ended, and its own."""
        found: list[Row] = []
        while (row := self._next) is not None and _is_before(row, at, run_id):
            found.append(row)
            self.last_id = row.id
            self._next = next(self._rows, None)
        return found


def _is_before(row: Row, at: int | None, run_id: str) -> bool:
    return row.at is None or row.run_id == run_id or (at is not None and row.at <= at)


class _When:
    """When the calls of one run were made, out of its stamps."""

    def __init__(self, created_at: int, last_at: int, *, has_end: bool) -> None:
        self.created_at = created_at
        self.last_at = last_at
        self._has_end = has_end

    @classmethod
    def of(cls, archive: Archive, past: Past) -> _When | None:
        """None: no stamp of it is set."""
        created = stamps_of(past.run, archive.stamps[:1])
        stamps = [
            *stamps_of(past.run, archive.stamps),
            *(at for s in past.steps for at in stamps_of(s, archive.stamps)),
        ]
        if not stamps:
            return None
        run = archive.api.read_run(past.run, past.place)
        ended_at = run.ended_at if run is not None else None
        first = created[0] if created else min(stamps)
        return cls(first, ended_at or max(stamps), has_end=ended_at is not None)

    @property
    def alive_at_ns(self) -> int:
        """Until when the run was certainly not over; of one that does not say when it ended, its last sign of life."""
        return (self.created_at if self._has_end else max(self.created_at, self.last_at)) * SECOND_NS

    def times(self, when: When) -> Times:
        at_ns, last_ns = self.created_at * SECOND_NS, max(self.created_at, self.last_at) * SECOND_NS
        if when in (When.BEFORE, When.CREATED):
            return at_ns, at_ns
        if when is When.LAST:  # a stamp of the end means some moment of its second
            return last_ns, last_ns + (SECOND_NS if self._has_end else 0)
        after_ns = last_ns + SECOND_NS + TICK_NS
        return after_ns, after_ns
