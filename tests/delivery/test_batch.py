"""Entries wait for company, in order, up to a size and for some seconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from curl_interceptor.delivery.batch import Batch
from curl_interceptor.policies import BatchPolicy


@dataclass(eq=False)
class Entry:
    admitted: float = 0.0
    critical: bool = False


def filled(count: int, size: int = 3, seconds: float = 5.0) -> tuple[Batch[Entry], list[Entry]]:
    batch = Batch[Entry](BatchPolicy(size, seconds))
    entries = [Entry(float(number)) for number in range(count)]
    for entry in entries:
        batch.add(entry)
    return batch, entries


def test_an_empty_batch_is_never_due():
    """
    Nothing to send is never due, in a hurry neither.
    """
    batch, _ = filled(0)

    assert (batch.due(), batch.due(hurried=True), batch.first_admitted) == (inf, inf, inf)
    assert batch.take() == []


def test_a_lone_entry_waits_for_company():
    """
    The first entry waits for `seconds`, whoever comes after it.
    """
    batch, _ = filled(2)

    assert batch.due() == 5.0
    assert batch.due(hurried=True) == -inf


def test_a_full_batch_goes_at_once():
    """
    `size` entries do not wait, and no more than `size` go together.
    """
    batch, entries = filled(4)

    assert batch.due() == -inf
    assert batch.take() == entries[:3]
    assert batch.due() == entries[3].admitted + 5.0


def test_a_critical_entry_takes_all_with_it_that_stand_before_it():
    """
    One critical entry makes the batch due; the others go with it.
    """
    batch, _ = filled(1)
    batch.add(Entry(1.0, critical=True))

    assert batch.due() == -inf
    assert len(batch.take()) == 2


def test_a_critical_entry_behind_a_full_batch_still_hurries():
    """
    When the critical one did not fit into the first batch, the second one is due at once, too.
    """
    batch, _ = filled(3)
    batch.add(Entry(9.0, critical=True))
    batch.take()

    assert batch.due() == -inf
    batch.take()
    batch.add(Entry(10.0))
    assert batch.due() == 15.0


def test_what_is_put_back_goes_first_and_in_its_order():
    """
    A batch that could not be sent stands at the front again.
    """
    batch, entries = filled(5)
    taken = batch.take()
    batch.put_back(taken)

    assert list(batch) == entries
    assert batch.first_admitted == 0.0


@pytest.mark.parametrize("younger", [0, 1])
def test_the_oldest_is_known_also_if_it_is_put_back_behind_a_younger_one(younger):
    """
    Else it would expire too late; whether others came meanwhile makes no difference.
    """
    batch = Batch(BatchPolicy(2, 5.0))
    batch.add(Entry(10.0, False))
    batch.add(Entry(1.0, False))
    taken = batch.take()
    for _ in range(younger):
        batch.add(Entry(20.0, False))
    batch.put_back(taken)

    assert batch.first_admitted == 1.0


def test_a_critical_entry_hurries_after_it_was_put_back_and_not_after_it_was_removed():
    """
    The hurry belongs to the entry, wherever it stands.
    """
    batch = Batch[Entry](BatchPolicy(10, 5.0))
    urgent = Entry(0.0, critical=True)
    batch.add(urgent)
    batch.put_back(batch.take())
    assert batch.due() == -inf

    batch.add(Entry(1.0))
    batch.remove([urgent])
    assert batch.due() == 6.0


def test_a_trial_takes_one():
    """
    `take(1)` leaves the rest.
    """
    batch, entries = filled(3)

    assert batch.take(1) == entries[:1]
    assert len(batch) == 2


class BatchMachine(RuleBasedStateMachine):
    """A list beside it: every entry is in the batch or was handed out, once, and the order stays."""

    @initialize(size=st.integers(1, 4))
    def set_up(self, size: int) -> None:
        self.policy = BatchPolicy(size, 5.0)
        self.batch = Batch[Entry](self.policy)
        self.model: list[Entry] = []
        self.out: list[Entry] = []
        self.clock = 0.0

    @rule(critical=st.booleans(), late=st.sampled_from([0.0, 0.0, 10.0]))
    def add(self, critical: bool, late: float) -> None:
        """One that was tried in vain may stand behind those that came after it."""
        self.clock += 1
        self.model.append(Entry(self.clock - late, critical))
        self.batch.add(self.model[-1])

    @precondition(lambda self: not self.out)
    @rule(most=st.none() | st.integers(1, 5))
    def take(self, most: int | None) -> None:
        size = min(self.policy.size, most or self.policy.size)
        assert self.batch.take(most) == self.model[:size]
        self.out, self.model = self.model[:size], self.model[size:]

    @rule()
    def put_back(self) -> None:
        self.batch.put_back(iter(self.out))
        self.out, self.model = [], [*self.out, *self.model]

    @rule()
    def deliver(self) -> None:
        self.out = []

    @rule()
    def take_oldest(self) -> None:
        expected = next((entry for entry in self.model if not entry.critical), next(iter(self.model), None))
        assert self.batch.take_oldest() is expected
        self.model = [entry for entry in self.model if entry is not expected]

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """What is removed twice, or is not there, makes no difference."""
        gone = [entry for entry in self.model if data.draw(st.booleans())]
        self.batch.remove([*gone, *gone, *self.out])
        self.model = [entry for entry in self.model if entry not in gone]

    @rule(size=st.integers(1, 4), seconds=st.sampled_from([0.0, 2.0, 5.0]))
    def govern(self, size: int, seconds: float) -> None:
        self.policy = BatchPolicy(size, seconds)
        self.batch.govern(self.policy)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "batch"):
            return
        model = self.model
        assert list(self.batch) == model
        assert len(self.batch) == len(model)
        assert all(entry in self.batch for entry in model)
        assert not any(entry in self.batch for entry in self.out)
        assert self.batch.first_admitted == min((entry.admitted for entry in model), default=inf)
        urgent = len(model) >= self.policy.size or any(entry.critical for entry in model)
        due = inf if not model else -inf if urgent else model[0].admitted + self.policy.seconds
        assert self.batch.due() == due
        assert self.batch.due(hurried=True) == (-inf if model else inf)


TestBatchMachine = BatchMachine.TestCase
TestBatchMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
