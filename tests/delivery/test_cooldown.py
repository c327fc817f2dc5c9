"""Equal failures are held back for a while, counted, and the last of them is told in the end."""

from __future__ import annotations

from math import inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from curl_interceptor.delivery.cooldown import CooldownWindows, Suppressed
from curl_interceptor.policies import Cooldown

ROOM = 10**9


def windows(seconds: float = 60.0, max_keys: int = 10) -> CooldownWindows[str]:
    return CooldownWindows(Cooldown(seconds, max_keys))


def due(cooldown: CooldownWindows[str], now: float) -> list[Suppressed[str]]:
    """All that goes out now."""
    return list(iter(lambda: cooldown.take(now), None))


def hold(cooldown: CooldownWindows[str], key: str, item: str, size: int, room: int, when: float) -> None:
    cooldown.suppress(key, when)
    cooldown.keep(key, item, size, room)


def test_equals_are_held_back_from_the_admission_on():
    """
    The second of two equals is held back although the first one was not delivered yet.
    """
    cooldown = windows()

    assert cooldown.admits("a")
    assert not cooldown.admits("a")
    assert cooldown.admits("b")


def test_the_window_counts_from_the_delivery():
    """
    A delivery that took 1,000 s is followed by a whole window.
    """
    cooldown = windows(60)
    cooldown.admits("a")
    assert due(cooldown, 1_000) == []

    cooldown.delivered("a", 1_000)
    due(cooldown, 1_059.9)
    assert not cooldown.admits("a")
    due(cooldown, 1_060)
    assert cooldown.admits("a")


def test_a_second_delivery_does_not_lengthen_the_window():
    """
    Only the first delivery of a window begins its seconds.
    """
    cooldown = windows(60)
    cooldown.admits("a")
    cooldown.delivered("a", 0)
    cooldown.delivered("a", 50)
    due(cooldown, 60)

    assert cooldown.admits("a")


def test_the_last_one_goes_out_with_the_count_of_all():
    """
    Of 37 that were held back the last one is told, with the 36 before it and the time of the first.
    """
    cooldown = windows(60)
    cooldown.admits("a")
    for number in range(37):
        hold(cooldown, "a", f"number {number}", 100, ROOM, 500.0 + number)
    cooldown.delivered("a", 10)

    assert due(cooldown, 69.9) == []
    (told,) = due(cooldown, 70)
    assert (told.key, told.last, told.before, told.since) == ("a", "number 36", 36, 500.0)
    assert cooldown.bytes == 0


def test_what_goes_out_at_the_end_opens_a_window_of_its_own():
    """
    After the summary equals are held back again, so that a steady failure is told once a window.
    """
    cooldown = windows(60)
    cooldown.admits("a")
    hold(cooldown, "a", "x", 1, ROOM, 0.0)
    cooldown.delivered("a", 0)
    assert len(due(cooldown, 60)) == 1

    assert not cooldown.admits("a")
    cooldown.delivered("a", 61)
    assert due(cooldown, 120.9) == []
    assert not cooldown.admits("a")
    due(cooldown, 121)
    assert cooldown.admits("a")


def test_a_lost_one_lifts_its_window_and_lets_the_last_equal_speak():
    """
    If the admitted one is lost, the one that was held back goes out at once.
    """
    cooldown = windows()
    cooldown.admits("a")
    hold(cooldown, "a", "x", 5, ROOM, 7.0)
    cooldown.lost("a")

    assert cooldown.next_due() == -inf
    (told,) = due(cooldown, 0)
    assert (told.last, told.before, told.since) == ("x", 0, 7.0)
    assert cooldown.bytes == 0


def test_an_equal_speaks_after_a_loss_with_nothing_held_back():
    """
    A lifted window without equals admits the next one.
    """
    cooldown = windows()
    cooldown.admits("a")
    cooldown.lost("a")

    assert due(cooldown, 0) == []
    assert cooldown.admits("a")


def test_what_does_not_fit_is_counted_and_the_one_before_is_kept():
    """
    One that is too large for the room is not kept, but it is counted.
    """
    cooldown = windows(60)
    cooldown.admits("a")
    hold(cooldown, "a", "small", 100, 100, 0.0)
    hold(cooldown, "a", "large", 500, 0, 1.0)
    assert cooldown.bytes == 100

    cooldown.delivered("a", 0)
    (told,) = due(cooldown, 60)
    assert (told.last, told.before) == ("small", 1)


def test_one_of_the_same_size_takes_the_place_of_the_last_without_room():
    """
    Replacing needs only the difference.
    """
    cooldown = windows()
    cooldown.admits("a")
    hold(cooldown, "a", "first", 100, 100, 0.0)
    hold(cooldown, "a", "second", 100, 0, 0.0)
    cooldown.lost("a")

    assert due(cooldown, 0)[0].last == "second"


def test_a_key_that_has_to_make_room_loses_nothing():
    """
    With `max_keys` reached the oldest window ends early and what it held back goes out.
    """
    cooldown = windows(60, max_keys=2)
    for key in ("a", "b"):
        cooldown.admits(key)
    hold(cooldown, "a", "last", 10, ROOM, 0.0)
    cooldown.admits("c")

    assert cooldown.next_due() == -inf
    assert [told.last for told in due(cooldown, 0)] == ["last"]
    assert cooldown.bytes == 0


def test_the_bound_of_keys_holds_for_those_that_go_out_after_all():
    """
    A summary opens a window, which may end another one early; that one's last goes out in the same breath.
    """
    cooldown = windows(60, max_keys=2)
    for key in ("a", "b"):
        cooldown.admits(key)
        hold(cooldown, key, key, 10, ROOM, 0.0)
    cooldown.admits("c")

    assert [told.key for told in due(cooldown, 0)] == ["a", "b"]
    assert (len(cooldown), cooldown.bytes) == (2, 0)


def test_the_end_of_the_pipeline_releases_everything():
    """
    `end_all` lets go what every window holds.
    """
    cooldown = windows()
    for key in "abc":
        cooldown.admits(key)
        hold(cooldown, key, key, 10, ROOM, 0.0)

    cooldown.end_all()
    assert sorted(told.last for told in due(cooldown, 0)) == ["a", "b", "c"]
    assert (cooldown.bytes, cooldown.next_due(), cooldown.holding) == (0, inf, False)


def test_memory_is_bounded_by_the_keys_and_not_by_the_deliveries_of_a_long_window():
    """
    A window of a day with ten keys does not remember the ends of a hundred thousand deliveries.
    """
    cooldown = windows(86_400, max_keys=10)
    for number in range(10_000):
        cooldown.admits(str(number))
        cooldown.delivered(str(number), float(number) / 1_000)

    assert len(cooldown) <= 10
    assert len(cooldown._ends) <= 100


class CooldownMachine(RuleBasedStateMachine):
    """A naive model beside it: for each window its end, how many it holds back, since when, and which it kept."""

    def __init__(self) -> None:
        super().__init__()
        self.cooldown = CooldownWindows[str](Cooldown(10.0, 3))
        self.now = 0.0
        self.serial = 0
        self.windows: dict[str, dict] = {}
        self.released: list[dict] = []

    keys = st.sampled_from("abcde")

    @rule(key=keys, size=st.integers(1, 50), room=st.sampled_from([0, 30, ROOM]))
    def come(self, key: str, size: int, room: int) -> None:
        admitted = self.cooldown.admits(key)
        assert admitted == (key not in self.windows)
        if admitted:
            self._open(key)
            return
        self.serial += 1
        window = self.windows[key]
        window["count"] += 1
        window["since"] = self.now if window["count"] == 1 else window["since"]
        self.cooldown.suppress(key, self.now)
        fits = size - window["size"] <= room
        assert self.cooldown.keep(key, str(self.serial), size, room) == fits
        if fits:
            window.update(last=str(self.serial), size=size)
        assert self.cooldown.kept(key) == window["size"]

    def _open(self, key: str) -> None:
        if len(self.windows) == 3:
            self._release(next(iter(self.windows)))
        self.windows[key] = {"key": key, "until": None, "count": 0, "since": 0.0, "last": None, "size": 0}

    def _release(self, key: str) -> None:
        window = self.windows.pop(key)
        if window["last"] is not None:
            self.released.append(window)

    @rule(key=keys)
    def deliver(self, key: str) -> None:
        self.cooldown.delivered(key, self.now)
        if key in self.windows and self.windows[key]["until"] is None:
            self.windows[key]["until"] = self.now + 10.0

    @rule(key=keys)
    def lose(self, key: str) -> None:
        self.cooldown.lost(key)
        if key in self.windows:
            self._release(key)

    @rule(seconds=st.floats(0, 15))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(most=st.integers(0, 4))
    def look(self, most: int) -> None:
        """Whoever has room for a few only takes no more; the rest waits, with its bytes."""
        promised = self.cooldown.next_due()
        told = [one for _ in range(most) if (one := self.cooldown.take(self.now)) is not None]
        if told:
            assert promised <= self.now
        if most:
            over = [one for one in self.windows.values() if one["until"] is not None and one["until"] <= self.now]
            for window in sorted(over, key=lambda one: one["until"]):
                self._release(window["key"])
        expected = []
        while self.released and len(expected) < most:  # each that goes out opens a window, which may end another one
            window = self.released.pop(0)
            expected.append(window)
            if window["key"] not in self.windows:
                self._open(window["key"])
        self._compare(told, expected)
        assert not most or (self.cooldown.next_due() <= self.now) == bool(self.released)

    @rule()
    def end(self) -> None:
        self.cooldown.end_all()
        for key in list(self.windows):
            self._release(key)
        assert len(self.cooldown) == len(self.released)
        self.look(len(self.released))
        assert self.cooldown.bytes == 0

    def _compare(self, told, expected) -> None:
        """Each that was kept speaks once, for all that were held back with it, since the first of them."""
        assert [(one.key, one.last, one.before + 1, one.since) for one in told] == [
            (window["key"], window["last"], window["count"], window["since"]) for window in expected
        ]

    @invariant()
    def bounded(self) -> None:
        assert self.cooldown.bytes == sum(window["size"] for window in [*self.windows.values(), *self.released])
        assert self.cooldown.holding == any(
            window["last"] is not None for window in [*self.windows.values(), *self.released]
        )
        assert self.cooldown.overfull == (len(self.released) > 3)
        assert set(self.cooldown._windows) == set(self.windows)
        assert len(self.windows) <= 3
        assert len(self.cooldown._ends) <= 2 * 3 + 1


TestCooldownMachine = CooldownMachine.TestCase
TestCooldownMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
