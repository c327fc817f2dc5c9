"""Entries wait for company, in order, up to a size and for some seconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from hypothesis import given
from hypothesis import strategies as st

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


@given(
    st.lists(st.sampled_from(["add", "critical", "take", "one", "back", "remove", "oldest"]), max_size=60),
    st.integers(1, 4),
)
def test_nothing_is_lost_or_doubled_and_the_order_stays(steps, size):
    """
    Whatever is done, every entry is in the batch or was handed out, once, and the oldest come first.
    """
    batch, model, out, clock = Batch[Entry](BatchPolicy(size, 5.0)), [], [], 0.0
    for step in steps:
        clock += 1
        if step in ("add", "critical"):
            model.append(Entry(clock, step == "critical"))
            batch.add(model[-1])
        elif step in ("take", "one"):
            taken = batch.take(1 if step == "one" else None)
            expected = min(len(model), 1 if step == "one" else size)
            assert taken == model[:expected]
            out, model = taken, model[expected:]
        elif step == "back":
            batch.put_back(iter(out))
            model, out = [*out, *model], []
        elif step == "oldest":
            expected = next((entry for entry in model if not entry.critical), next(iter(model), None))
            assert batch.take_oldest() is expected
            model = [entry for entry in model if entry is not expected]
        elif model:
            gone = model.pop(len(model) // 2)
            assert gone in batch
            batch.remove([gone, gone])
            assert gone not in batch
        assert list(batch) == model
        assert batch.first_admitted == min((entry.admitted for entry in model), default=inf)
        urgent = len(model) >= size or any(entry.critical for entry in model)
        assert batch.due() == (inf if not model else -inf if urgent else model[0].admitted + 5.0)
