"""The record itself: cheap to make, and put in words when it is read."""

from __future__ import annotations

import asyncio
import copy
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.dispatch import Signal
from hypothesis import given
from hypothesis import strategies as st

from signal_inspector import Details, Dispatch, Failure, Outcome, ReceiverCall, capture
from signal_inspector.core.listening.captures import NOBODY
from signal_inspector.core.record.dispatch import OuterTrace
from signal_inspector.core.record.ids import next_sequence
from signal_inspector.core.record.running import RunningDispatch
from signal_inspector.core.record.transactions import TransactionMark
from signal_inspector.core.record.values import (
    Busy,
    Caller,
    NotCalled,
    NotCalledReason,
    Query,
    ReceiverName,
    SendMethod,
    Summary,
    Tally,
    Unseen,
)

#: 2026-01-01T00:00:00Z, in nanoseconds.
MOMENT = 1_767_225_600_000_000_000
FAILURE = Failure(exception_class="ValueError", message="no")
NAMES = [ReceiverName(f"shop.receivers.{name}", "shop/receivers.py", 1) for name in "abc"]


pytestmark = pytest.mark.usefixtures("nothing_failed")


def make(**written: Any) -> RunningDispatch:
    """A dispatch that began at 1000 on the clock."""
    dispatch = RunningDispatch()
    dispatch.signal, dispatch.sender = "shop.signals.placed", "shop.Web"
    dispatch.method, dispatch.hearers = SendMethod.SEND, NOBODY
    dispatch.started_ns, dispatch.start_ns, dispatch.marks = MOMENT, 1000, [1000]
    dispatch.parent, dispatch.sequence = None, next_sequence()
    for name, value in written.items():
        setattr(dispatch, name, value)
    return dispatch


def ended(**written: Any) -> RunningDispatch:
    """One that ran three receivers of 10, 20 and 30 ns."""
    return make(
        marks=[1000, 1010, 1030, 1060],
        receivers=NAMES,
        duration_ns=60,
        outcome=Outcome.RETURNED,
        **written,
    )


def call(**written: Any) -> ReceiverCall:
    values = {"receiver": "a", "path": "", "line": 0, "is_async": True, "outcome": Outcome.RUNNING}
    return ReceiverCall(**{**values, **written})


class TestBusy:
    @pytest.mark.parametrize(
        ("spans", "total"),
        [
            ([], 0),
            ([(0, 10)], 10),
            ([(0, 10), (20, 30)], 20),  # one after the other
            ([(0, 10), (10, 20)], 20),  # end to end
            ([(0, 10), (5, 15)], 15),  # overlapping
            ([(2, 5), (0, 10)], 10),  # one inside the other
            ([(0, 5), (10, 15), (0, 20)], 20),  # one around all
            ([(5, 5)], 0),
        ],
    )
    def test_covers_each_moment_once(self, spans: list[tuple[int, int]], total: int) -> None:
        """Overlapping spans count once, gaps not at all."""
        busy = Busy()
        for start, end in spans:
            busy.add(start, end)
        assert busy.total == total

    @given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=30))
    def test_agrees_with_counting_moments(self, pairs: list[tuple[int, int]]) -> None:
        """In the order of their ends, any spans cover as many moments as counting them gives."""
        spans = sorted(((min(pair), max(pair)) for pair in pairs), key=lambda span: span[1])
        busy = Busy()
        for start, end in spans:
            busy.add(start, end)
        assert busy.total == len({moment for start, end in spans for moment in range(start, end)})

    def test_many_spans_take_little_room(self) -> None:
        """However many dispatches were nested, few spans are kept, and the total is right."""
        busy = Busy()
        for number in range(10_000):
            busy.add(number * 10, number * 10 + 5)
        assert busy.total == 50_000
        assert len(busy._spans) <= 33


class TestIdentity:
    def test_ids_are_distinct(self) -> None:
        """Dispatches that began in the same nanosecond have ids of their own."""
        assert len({make().id for _ in range(1_000)}) == 1_000

    def test_an_id_is_a_uuid_of_version_7(self) -> None:
        """The id is a UUIDv7 and the same at each reading."""
        dispatch = make()
        assert isinstance(dispatch.id, uuid.UUID)
        assert (dispatch.id.version, dispatch.id) == (7, dispatch.id)

    def test_ids_sort_by_start(self) -> None:
        """A dispatch that began later has a greater id."""
        earlier = make()
        later = make(started_ns=MOMENT + 10_000)
        assert earlier.id < later.id

    def test_without_a_parent(self) -> None:
        """A dispatch that no receiver sent has no parent."""
        dispatch = make()
        assert (dispatch.parent_id, dispatch.parent_call) == (None, None)

    def test_with_a_parent(self) -> None:
        """A dispatch that a receiver sent knows id and receiver call of its parent."""
        parent, child = make(), make()
        child.caused_by(parent, 1)
        assert (child.parent_id, child.parent_call) == (parent.id, 1)

    def test_a_parent_is_known_after_its_end(self) -> None:
        """The parent's id stays when the parent itself is let go."""
        parent, child = make(), make()
        child.caused_by(parent, 0)
        child.leave_parent(1100)
        assert (child.parent, child.parent_id) == (None, parent.id)

    def test_leaving_no_parent_is_harmless(self) -> None:
        """A dispatch without a parent has none to leave."""
        dispatch = make()
        dispatch.leave_parent(1100)
        assert dispatch.parent is None

    def test_a_parent_outside_its_receivers_gets_no_time(self) -> None:
        """A nested dispatch of unknown receiver takes no receiver's time."""
        parent, child = make(), make()
        child.caused_by(parent, None)
        child.leave_parent(1100)
        assert parent.busy is None


class TestUnwritten:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("duration_ns", 0),
            ("outcome", Outcome.RUNNING),
            ("caller", None),
            ("stack", ()),
            ("payload", None),
            ("payload_dropped", 0),
            ("in_transaction", None),
            ("rolled_back", None),
            ("not_called", ()),
            ("parent_call", None),
            ("calls", []),
            ("failures", []),
            ("query_count", 0),
            ("query_ns", 0),
        ],
    )
    def test_what_was_not_written_reads_as_nothing(self, name: str, value: object) -> None:
        """A dispatch that has just begun can be read in full."""
        assert getattr(make(), name) == value

    def test_a_wrong_name_is_an_attribute_error(self) -> None:
        """What a dispatch does not have raises AttributeError with its name."""
        with pytest.raises(AttributeError, match="durationns"):
            _ = make().durationns

    def test_it_takes_no_new_attributes(self) -> None:
        """A record is slotted."""
        with pytest.raises(AttributeError):
            make().anything = 1  # type: ignore[attr-defined]

    def test_it_can_be_copied(self) -> None:
        """A copy of a running dispatch reads as the dispatch does."""
        dispatch = make(payload_dropped=2)
        assert copy.copy(dispatch).as_dict() == dispatch.as_dict()


class TestTimes:
    def test_one_that_is_detached_from_its_captures(self) -> None:
        """It says the same, though those who heard it, who know the time, are gone from it."""
        signal = Signal()
        with capture(details=Details.NONE) as dispatches:
            signal.send(None)
        [dispatch] = dispatches
        detached = dispatch.detached()
        assert detached.as_dict() == dispatch.as_dict()
        assert detached is not dispatch
        assert isinstance(detached, RunningDispatch)
        assert detached.hearers is NOBODY

    def test_started_at_is_utc(self) -> None:
        """The start is a datetime in UTC."""
        assert make().started_at == datetime(2026, 1, 1, tzinfo=UTC)

    def test_started_at_is_exact_to_the_microsecond(self) -> None:
        """No microsecond is lost on the way through a float."""
        for microsecond in (1, 123_456, 999_999):
            dispatch = make(started_ns=MOMENT + microsecond * 1_000)
            assert dispatch.started_at.microsecond == microsecond

    def test_a_new_start_moves_the_first_receiver(self) -> None:
        """What was taken before restart() is no receiver's time."""
        dispatch = make()
        dispatch.restart(1500)
        assert (dispatch.start_ns, dispatch.marks) == (1500, [1500])


class TestCalls:
    def test_marks_become_calls(self) -> None:
        """Each receiver runs from one mark to the next."""
        calls = ended().calls
        assert [(each.offset_ns, each.duration_ns) for each in calls] == [
            (0, 10),
            (10, 20),
            (30, 30),
        ]
        assert [each.receiver for each in calls] == [name.name for name in NAMES]
        assert {each.outcome for each in calls} == {Outcome.RETURNED}

    def test_an_exact_end_beats_the_next_mark(self) -> None:
        """Where a receiver's end is known, what came before the next mark is nobody's."""
        assert [each.duration_ns for each in ended(ends={0: 1004}).calls] == [4, 20, 30]

    def test_calls_are_made_once(self) -> None:
        """Of an ended dispatch the calls are the same objects at each reading."""
        dispatch = ended()
        assert dispatch.calls[0] is dispatch.calls[0]

    def test_calls_of_a_running_dispatch_are_made_anew(self) -> None:
        """While a dispatch runs its calls are as far as it has come."""
        dispatch = make(receivers=NAMES, marks=[1000, 1010])
        first = [each.outcome for each in dispatch.calls]
        dispatch.marks.append(1020)
        assert first == [Outcome.RETURNED, Outcome.RUNNING, Outcome.SKIPPED]
        assert dispatch.calls[1].outcome is Outcome.RETURNED

    def test_what_raised_is_described(self) -> None:
        """A failure that was noted stands in its call."""
        dispatch = ended()
        dispatch.fail(1, FAILURE, Outcome.RAISED)
        assert [each.failure for each in dispatch.calls] == [None, FAILURE, None]
        assert dispatch.failures == [dispatch.calls[1]]

    def test_what_was_not_reached_is_skipped(self) -> None:
        """Receivers without marks never ran."""
        dispatch = ended(raised={0: (FAILURE, Outcome.RAISED)})
        dispatch.marks[2:] = []
        outcomes = [each.outcome.value for each in dispatch.calls]
        assert outcomes == ["raised", "skipped", "skipped"]

    def test_responses_stand_in_their_calls(self) -> None:
        """Summaries of responses are those of the receivers that have one."""
        summary = Summary(kind="plain", type="int", text="5", value=5)
        assert [each.response for each in ended(responses=[None, summary]).calls] == [
            None,
            summary,
            None,
        ]

    def test_expected_calls_stand_for_marks(self) -> None:
        """Calls that are kept up to date one by one are those of the record."""
        dispatch = make(outcome=Outcome.RETURNED)
        calls = [call(outcome=Outcome.RETURNED)]
        dispatch.expect(calls)
        assert dispatch.calls is calls
        assert not dispatch.is_orphan

    def test_the_running_call_is_the_one_after_the_last_mark(self) -> None:
        """While it runs, a dispatch knows which receiver is at work; afterwards none is."""
        dispatch = make()
        indexes = [dispatch.index]
        dispatch.marks.append(1010)
        indexes.append(dispatch.index)
        dispatch.outcome = Outcome.RETURNED
        assert [*indexes, dispatch.index] == [0, 1, None]


class TestOrphans:
    def test_ended_without_receivers(self) -> None:
        """A dispatch that returned and reached nobody is an orphan."""
        assert make(outcome=Outcome.RETURNED).is_orphan

    @pytest.mark.parametrize("outcome", [Outcome.RUNNING, Outcome.RAISED, Outcome.CANCELLED])
    def test_another_end_is_none(self, outcome: Outcome) -> None:
        """A dispatch that runs, or failed before any receiver, is not called an orphan."""
        assert not make(outcome=outcome).is_orphan

    def test_with_receivers_it_is_none(self) -> None:
        """A dispatch with receivers is no orphan."""
        assert not ended().is_orphan


class TestSelfTime:
    def nest(self, parent: RunningDispatch, index: int, start: int, end: int) -> None:
        child = make(start_ns=start)
        child.caused_by(parent, index)
        child.leave_parent(end)

    def test_is_without_nested_dispatches(self) -> None:
        """The time of nested dispatches is taken off the receiver that sent them."""
        dispatch = ended()
        self.nest(dispatch, 2, 1040, 1050)
        assert [each.self_ns for each in dispatch.calls] == [10, 20, 20]

    def test_counts_overlapping_ones_once(self) -> None:
        """Nested dispatches that overlap take their common time once."""
        dispatch = ended()
        self.nest(dispatch, 2, 1035, 1050)
        self.nest(dispatch, 2, 1040, 1055)
        assert dispatch.calls[2].self_ns == 10

    def test_is_never_negative(self) -> None:
        """Nested time beyond the receiver's own leaves nothing, not less."""
        dispatch = ended()
        self.nest(dispatch, 0, 1000, 1030)
        assert dispatch.calls[0].self_ns == 0

    def test_a_dispatch_after_the_receivers_end_takes_nothing(self) -> None:
        """What a task sent when its receiver had ended is not taken off the receiver."""
        dispatch = make()
        dispatch.expect([call(offset_ns=0, duration_ns=50, outcome=Outcome.RETURNED)])
        self.nest(dispatch, 0, 1060, 1100)
        assert dispatch.calls[0].self_ns == 50

    def test_a_dispatch_across_the_receivers_end_takes_their_common_time(self) -> None:
        """A nested dispatch that outlives its receiver takes the part before the end."""
        dispatch = make()
        dispatch.expect([call(offset_ns=0, duration_ns=50, outcome=Outcome.RETURNED)])
        self.nest(dispatch, 0, 1040, 1100)
        assert dispatch.calls[0].self_ns == 40

    def test_of_a_task_that_outlives_its_receiver(self) -> None:
        """The self time of a real receiver does not shrink by what its task sends later."""
        outer, inner, tasks = Signal(), Signal(), []

        async def waits(**kwargs: Any) -> None:
            await asyncio.sleep(0.05)

        async def starts(**kwargs: Any) -> None:
            tasks.append(asyncio.create_task(later()))

        async def later() -> None:
            await asyncio.sleep(0.001)
            await inner.asend(None)

        async def main() -> None:
            await outer.asend(None)
            await tasks[0]

        inner.connect(waits)
        outer.connect(starts)
        with capture() as dispatches:
            asyncio.run(main())
        [started] = dispatches[0].calls
        assert started.self_ns == started.duration_ns > 0


class TestQueries:
    def test_are_counted_per_call(self) -> None:
        """A tally belongs to the receiver call of its index."""
        dispatch = ended()
        query = Query(alias="default", sql="SELECT 1", duration_ns=7)
        tally = dispatch.tally(1)
        tally.count, tally.ns, tally.statements = 3, 20, [query]
        found = [(each.query_count, each.query_ns, each.queries) for each in dispatch.calls]
        assert found == [(0, 0, ()), (3, 20, (query,)), (0, 0, ())]

    def test_one_call_has_one_tally(self) -> None:
        """Asking again for a call's tally gives the same one."""
        dispatch = make()
        assert isinstance(dispatch.tally(0), Tally)
        assert dispatch.tally(0) is dispatch.tally(0)

    def test_a_dispatch_sums_them(self) -> None:
        """The dispatch's own count holds all of its calls, and what was outside any."""
        dispatch = ended()
        for index, count in ((0, 1), (2, 5), (-1, 2)):
            dispatch.tally(index).count = count
            dispatch.tally(index).ns = count * 10
        assert (dispatch.query_count, dispatch.query_ns) == (8, 80)

    def test_a_later_query_is_seen(self) -> None:
        """Queries that come after a first reading are in the next."""
        dispatch = ended()
        assert dispatch.calls[0].query_count == 0
        dispatch.tally(0).count = 4
        assert dispatch.calls[0].query_count == 4


class TestRolledBack:
    def test_is_unknown_unless_it_was_watched(self) -> None:
        """Without Details.TRANSACTION nobody can tell."""
        assert make().rolled_back is None

    def test_outside_a_transaction_nothing_rolls_back(self) -> None:
        """A dispatch in no transaction has not been rolled back."""
        assert make(in_transaction=False).rolled_back is False

    def test_any_of_several_transactions_counts(self) -> None:
        """A dispatch in transactions of two databases is rolled back with either."""
        marks = (TransactionMark(None), TransactionMark(None))
        dispatch = make(in_transaction=True, transactions=marks)
        before = dispatch.rolled_back
        marks[1].roll_back()
        assert (before, dispatch.rolled_back) == (False, True)

    def test_with_the_transaction_around_it(self) -> None:
        """A savepoint is rolled back with the transaction around it."""
        outer = TransactionMark(None)
        dispatch = make(in_transaction=True, transactions=(TransactionMark(outer),))
        outer.roll_back()
        assert dispatch.rolled_back is True


class TestAsDict:
    KEYS = (
        "by_time caller calls duration_ns id in_transaction method not_called outcome "
        "parent_call parent_id payload payload_dropped project_caller sender signal span_id "
        "stack start_ns started_at trace_id trace_sampled unseen"
    )
    ALWAYS = "by_time calls duration_ns id method outcome sender signal start_ns started_at"
    ATTRIBUTES = (
        "id id_text parent_id parent_id_text parent_call by_time trace_id span_id trace_sampled "
        "signal sender method started_at start_ns end_ns duration_ns outcome unseen calls caller "
        "project_caller stack payload payload_dropped in_transaction rolled_back not_called "
        "failures has_failed is_orphan query_count query_ns"
    )
    CALL_KEYS = (
        "duration_ns failure is_async line offset_ns outcome path queries queries_by_time "
        "query_count query_ns receiver response self_ns timed"
    )

    def full(self) -> RunningDispatch:
        caller = Caller("shop/views.py", 41, "checkout")
        parent = make()
        dispatch = ended(
            caller=caller,
            project_caller=caller,
            stack=(caller,),
            trace=OuterTrace(trace_id=0xAB, trace_flags=1, span_id=0xCD),
            unseen=Unseen.UNTOLD,
            responses=[Summary(kind="plain", type="int", text="1", value=1)],
            payload={"order": Summary(kind="model", type="shop.Order", text="shop.Order:42")},
            in_transaction=True,
            not_called=(
                NotCalled(
                    receiver="a.b", path="a.py", line=1, reason=NotCalledReason.DEAD, detail="gone"
                ),
            ),
        )
        dispatch.caused_by(parent, 0)
        dispatch.fail(1, FAILURE, Outcome.RAISED)
        dispatch.tally(0).statements = [Query(alias="default", sql="SELECT 1", duration_ns=7)]
        return dispatch

    def test_its_keys_are_public(self) -> None:
        """The keys of a dispatch and of its calls are those that others rely on."""
        data = self.full().as_dict()
        assert sorted(data) == self.KEYS.split()
        assert sorted(set().union(*data["calls"])) == self.CALL_KEYS.split()

    def test_what_was_not_kept_is_absent(self) -> None:
        """Without any details the keys are those that every dispatch has, and none is null."""
        data = ended().as_dict()
        assert sorted(data) == self.ALWAYS.split()
        assert None not in data["calls"][0].values()

    def test_goes_to_json(self) -> None:
        """A full record survives JSON as it is."""
        data = self.full().as_dict()
        assert json.loads(json.dumps(data)) == data

    def test_a_record_that_is_read_says_the_same(self) -> None:
        """Its public attributes and its JSON are those of the dispatch that was written."""
        written = self.full()
        read = Dispatch.from_dict(json.loads(json.dumps(written.as_dict())))
        assert read.as_dict() == written.as_dict()
        for name in [
            "id",
            "id_text",
            "parent_id",
            "parent_id_text",
            "parent_call",
            "by_time",
            "trace_id",
            "span_id",
            "calls",
            "trace_sampled",
            "signal",
            "sender",
            "method",
            "started_at",
            "start_ns",
            "end_ns",
            "duration_ns",
            "outcome",
            "unseen",
            "caller",
            "project_caller",
            "stack",
            "payload",
            "payload_dropped",
            "in_transaction",
            "rolled_back",
            "not_called",
            "failures",
            "has_failed",
            "is_orphan",
            "query_count",
            "query_ns",
        ]:
            assert getattr(read, name) == getattr(written, name), name
        assert read.started_ns == written.started_ns // 1000 * 1000
        assert read.end_of(1) == written.end_of(1)
        assert repr(read) == repr(written)
        assert read.detached().as_dict() == written.as_dict()

    def test_a_method_of_a_subclass_is_read_and_not_remembered(self) -> None:
        """Anybody may have written the name: it takes no memory beyond the dispatch."""
        data = {**ended().as_dict(), "method": "send_surely"}
        read = Dispatch.from_dict(data)
        assert (read.method, read.method.is_own) == ("send_surely", True)
        assert "send_surely" not in SendMethod._value2member_map_

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"id": None}, "an id is of type NoneType, not str"),
            ({"id": "7"}, "'7' is not the id of a dispatch"),
            ({"parent_id": 7}, "an id is of type int, not str"),
            ({"signal": ["a"]}, "signal is of type list, not str"),
            ({"method": 1}, "method is of type int, not str"),
            ({"outcome": "well"}, "'well' is not a valid Outcome"),
            ({"started_at": "soon"}, "Invalid isoformat string: 'soon'"),
            ({"start_ns": "1"}, "start_ns is of type str, not int"),
            ({"duration_ns": True}, "duration_ns is of type bool, not int"),
            ({"trace_id": "-" * 32}, "does not have 32 hexadecimal digits"),
            ({"calls": {}}, "calls is of type dict, not list"),
            ({"calls": [7]}, "'int' object is not subscriptable"),
            ({"calls": [{}]}, "'receiver' is missing"),
            ({"payload": [1]}, "'list' object has no attribute 'items'"),
            ({"payload": {"a": {"kind": "plain"}}}, "'type' is missing"),
            ({"stack": [["a.py", 1]]}, "not enough values to unpack"),
            ({"stack": [["a.py", "1", "f"]]}, "line is of type str, not int"),
            ({"caller": "a.py:1"}, "string indices must be integers"),
            ({"not_called": [{"receiver": "a", "reason": "?"}]}, "not a valid NotCalledReason"),
            ({"in_transaction": 1}, "in_transaction is of type int, not bool"),
            ({"unseen": "?"}, "'?' is not a valid Unseen"),
        ],
    )
    def test_what_is_no_dispatch_is_refused(self, change: dict[str, Any], words: str) -> None:
        """A ValueError says what is wrong with it."""
        with pytest.raises(ValueError, match=r"^Not a dispatch: ") as caught:
            Dispatch.from_dict({**ended().as_dict(), **change})
        assert words in str(caught.value)

    @pytest.mark.parametrize("wrong", [True, 1, 1.5, "?", [], {}])
    def test_each_value_of_a_call_has_its_type(self, wrong: object) -> None:
        """A value of another type is refused; one that may be absent may be None, too."""
        data = json.loads(json.dumps(ended().as_dict()))
        (first, *_) = data["calls"]
        for key, right in first.items():
            is_wrong = type(wrong) is not type(right) or key == "outcome"
            changed = {**data, "calls": [{**first, key: wrong}]}
            if is_wrong:
                with pytest.raises(ValueError, match=r"^Not a dispatch: "):
                    Dispatch.from_dict(changed)
            else:
                assert Dispatch.from_dict(changed).as_dict() == changed
        few = {key: first[key] for key in ("receiver", "is_async", "outcome", "duration_ns")}
        absent = Dispatch.from_dict({**data, "calls": [few]}).calls
        nothing = {key: few.get(key) for key in first}
        assert Dispatch.from_dict({**data, "calls": [nothing]}).calls == absent
        assert (absent[0].path, absent[0].line, absent[0].timed) == ("", 0, True)

    @pytest.mark.parametrize("data", [None, 7, "x", [], {}, {"id": "x"}])
    def test_other_json_is_refused(self, data: Any) -> None:
        """Whatever JSON may hold in its place."""
        with pytest.raises(ValueError, match=r"^Not a dispatch: "):
            Dispatch.from_dict(data)

    def test_nesting_without_end_is_refused(self) -> None:
        """Deep data ends in the same ValueError."""
        summary: dict[str, Any] = {"kind": "plain", "type": "int", "text": "1"}
        for _ in range(5_000):
            summary = {**summary, "items": [["a", summary]]}
        with pytest.raises(ValueError, match=r"^Not a dispatch: "):
            Dispatch.from_dict({**ended().as_dict(), "payload": {"a": summary}})

    def test_keys_of_tomorrow_are_left_alone(self) -> None:
        """A key that is not known does not matter."""
        data = ended().as_dict()
        assert Dispatch.from_dict({**data, "new": 1}).as_dict() == data

    def test_a_real_record_goes_to_json(self) -> None:
        """So does one of a real dispatch with every detail, and comes back as it was."""
        signal = Signal()

        def receiver(**kwargs: Any) -> list[int]:
            return [1, 2]

        signal.connect(receiver)
        with capture(details=Details.ALL) as dispatches:
            signal.send(None, order={"lines": [1, {"a": None}]})
        data = dispatches[0].as_dict()
        assert json.loads(json.dumps(data)) == data
        assert Dispatch.from_dict(data).as_dict() == data

    def test_repr_says_what_it_is(self) -> None:
        """repr() names method, signal, sender, receivers and outcome."""
        text = "<Dispatch send shop.signals.placed from shop.Web: 3 receivers, returned>"
        assert repr(ended()) == text
