"""A lane over half full says what it holds in fewer messages, and says how many each of them stands for."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from curl_interceptor.delivery.destination import LanePolicies
from curl_interceptor.delivery.item import Item, Part
from curl_interceptor.delivery.stock import Stock
from curl_interceptor.policies import BatchPolicy, LanePolicy, RetryPolicy
from curl_interceptor.records.exchange import Exchange, RequestFacts, ResponseFacts
from curl_interceptor.records.redaction import Redaction, redact

EXCHANGE = Exchange(RequestFacts("GET", "http://api.test/", ()), ResponseFacts(500, "", ()), None, 0.0, 0.1)
RECORD = redact(EXCHANGE, Redaction(), id="0")


def stock(records: int = 10, size: int = 100_000) -> Stock:
    return Stock(LanePolicies(batch=BatchPolicy(100, 5.0), cooldown=None, lane=LanePolicy(records, size)))


def item(number: int, fingerprint: str = "a", *, critical: bool = False, fallbacks=(), body: bytes = b"") -> Item:
    record = replace(RECORD, id=str(number), fingerprint=fingerprint, started=float(number), request_body=body)
    return Item(record, key=None, admitted=float(number), critical=critical, fallbacks=fallbacks)


def fill(one: Stock, *items: Item) -> None:
    for each in items:
        one.books.routed += 1
        one.admit(each, each.admitted)


def lines(one: Stock) -> list[tuple[str, int, float | None]]:
    """What waits: which is the last, how many came before it, and since when."""
    return [(each.entry.id, each.entry.suppressed, each.entry.suppressed_since) for each in one.waiting]


def test_up_to_half_a_lane_every_entry_is_told():
    """
    Five of ten wait one by one.
    """
    one = stock()
    fill(one, *map(item, range(5)))

    assert len(one.waiting) == 5
    assert one.books.steps.current(5.0) is None


def test_over_half_the_last_of_each_fingerprint_tells_of_all():
    """
    It carries the count of the others and the time of the first, as after a cooldown.
    """
    one = stock()
    fill(one, item(0, "b"), *map(item, range(1, 413)))

    assert lines(one) == [("0", 0, None), ("412", 411, 1.0)]
    assert one.books.suppressed == 411
    assert one.pending + one.books.suppressed == one.books.routed
    assert one.books.steps.current(412.0) == "digest"


def test_over_half_in_bytes_is_over_half_too():
    """
    Three large bodies fill a lane of 100,000 bytes; one of them, with its count, does not.
    """
    one = stock(1_000)
    fill(one, *(item(number, body=b"x" * 20_000) for number in range(3)))

    assert lines(one) == [("2", 2, 0.0)]
    assert one.held_bytes < 50_000


def test_different_ones_are_never_folded():
    """
    Where nothing is equal the oldest is dropped at the bound, as ever.
    """
    one = stock()
    fill(one, *(item(number, str(number)) for number in range(12)))

    assert one.books.dropped == {"lane_full": 2}
    assert [lost.item.entry.id for lost in one.lost] == ["0", "1"]


def test_critical_and_refused_entries_stay_as_they_are():
    """
    Nobody counts what must never be suppressed, or what has to be told from its equals to find the poison.
    """
    one = stock()
    refused = item(1)
    refused.plain = True
    fill(one, refused, item(2, critical=True), *(item(number) for number in range(3, 9)))

    assert [each[0] for each in lines(one)] == ["1", "2", "8"]


def test_whoever_has_other_fallbacks_is_not_folded():
    """
    What is lost goes to its own fallbacks.
    """
    one = stock(4)
    fill(one, item(0, fallbacks=(print,)), item(1), item(2, fallbacks=(print,)), item(3, fallbacks=(print,)))

    assert [each[:2] for each in lines(one)] == [("0", 0), ("1", 0), ("3", 1)]


def test_who_is_lost_takes_those_along_for_which_it_stood():
    """
    A digest of six that expires is six entries dropped, and none that is still told by a count.
    """
    one = stock()
    fill(one, *map(item, range(6)))
    one.drop(one.withdraw(), "expired")

    assert one.books.dropped == {"expired": 6}
    assert one.books.suppressed == 0
    assert one.held_bytes == 0
    (lost,) = one.lost
    assert lost.item.entry.suppressed == 5


def test_the_same_record_of_two_lanes_is_one():
    """
    What two webhooks gave up happened once.
    """
    one = stock(1)
    fill(one, item(0), item(0))

    assert lines(one) == [("0", 0, None)]
    assert one.books.suppressed == 1


def test_a_delivery_that_makes_room_ends_it():
    """
    From then on entries are told one by one again, until the lane is over half full once more.
    """
    one = stock()
    fill(one, *map(item, range(7)))
    part = Part(one.waiting.fresh.take(), RetryPolicy())
    one.deliver(part.items, 10.0)
    fill(one, *map(item, range(10, 15)))
    assert [each[1] for each in lines(one)] == [0, 0, 0, 0, 0]

    fill(one, item(15))
    assert lines(one) == [("15", 5, 10.0)]


def test_a_lane_that_lost_what_it_held_has_room_again_too():
    """
    What comes after everything expired, or went to the fallbacks, is told one by one.
    """
    for lose in (Stock.drop, Stock.fail):
        one = stock()
        fill(one, *(item(number, str(number)) for number in range(7)))
        lose(one, one.withdraw(), "expired")
        fill(one, item(10), item(11))

        assert [each[1] for each in lines(one)] == [0, 0]


class StockMachine(RuleBasedStateMachine):
    """Entries come, travel, return, are delivered and lost; each is told once, alone or by a count."""

    def __init__(self) -> None:
        super().__init__()
        self.stock = stock(6, 20_000)
        self.now = 0.0
        self.serial = 0
        self.told = 0

    @rule(
        fingerprint=st.sampled_from("abc"),
        critical=st.sampled_from([False, False, False, True]),
        fallbacks=st.sampled_from([(), (), (print,)]),
        body=st.sampled_from([0, 100, 6_000]),
    )
    def come(self, fingerprint, critical, fallbacks, body) -> None:
        self.serial += 1
        fill(
            self.stock,
            item(self.serial, fingerprint, critical=critical, fallbacks=fallbacks, body=b"x" * body),
        )

    @rule(most=st.integers(1, 4))
    def begin(self, most: int) -> None:
        if self.stock.in_flight is None and (items := self.stock.waiting.fresh.take(most)):
            self.stock.in_flight = Part(items, RetryPolicy())

    @rule(how=st.sampled_from(["deliver", "fail", "first", "last", "plain", "part"]))
    def end(self, how: str) -> None:
        part, self.stock.in_flight = self.stock.in_flight, None
        if part is None:
            return
        if how == "deliver":
            self.told += sum(1 + each.entry.suppressed for each in part.items)
            self.stock.deliver(part.items, self.now)
        elif how == "fail":
            self.stock.fail(part.items, "refused")
        elif how == "part":
            self.stock.waiting.keep(part, inf)
        else:
            part.items[0].plain = how == "plain"
            self.stock.return_(part.items, first=how == "first")

    @invariant()
    def every_entry_is_told_once(self) -> None:
        while self.stock.lost:
            self.told += 1 + self.stock.lost.popleft().item.entry.suppressed
        flying = self.stock.in_flight.items if self.stock.in_flight else []
        here = [*self.stock.waiting, *flying]
        books = self.stock.books
        assert self.told + sum(1 + each.entry.suppressed for each in here) == books.routed
        lost = books.failed + sum(books.dropped.values())
        assert books.delivered + books.suppressed + lost + self.stock.pending == books.routed
        assert self.stock.held_bytes == sum(each.size for each in here)
        assert self.stock.pending <= 6 or not len(self.stock.waiting)

    @rule()
    def one_digest_for_a_fingerprint(self) -> None:
        """Over half full, the next entry leaves one of a kind in the line."""
        if not self.stock._fills(0.5):
            return
        self.come("a", False, (), 0)
        kinds = [(each.entry.fingerprint, each.fallbacks) for each in self.stock.waiting.fresh if each.foldable]
        a = [kind for kind in kinds if kind == ("a", ())]
        assert len(a) <= 1 or any(kind == ("a", (print,)) for kind in kinds)


TestStockMachine = StockMachine.TestCase
TestStockMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
