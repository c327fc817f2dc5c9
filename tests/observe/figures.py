"""Figures of any pipeline that could be, for tests of what is made of them."""

from __future__ import annotations

from hypothesis import strategies as st

from curl_interceptor.observe.degradation import DEGRADATIONS
from curl_interceptor.observe.stats import HostStats, InspectorStats, Latency, Rate, Stats

rates = st.builds(Rate, st.integers(0, 9), st.integers(0, 9))
counts = st.integers(0, 100)


@st.composite
def inspectors(draw) -> InspectorStats:
    """Books that balance."""
    delivered, failed, pending, dropped = (draw(counts) for _ in range(4))
    return InspectorStats(
        label=draw(st.sampled_from("abc")),
        routed=delivered + failed + pending + dropped,
        delivered=delivered,
        failed=failed,
        pending=pending,
        dropped={draw(st.sampled_from(["expired", "shutdown"])): dropped},
        breaker=draw(st.sampled_from(["closed", "half-open", "open"])),
        last_minute=draw(rates),
        last_error_at=draw(st.none() | st.floats(0, 10)),
        oldest_age=draw(st.none() | st.floats(0, 10)),
        degraded=draw(st.none() | st.sampled_from(DEGRADATIONS)),
    )


@st.composite
def pipelines(draw) -> Stats:
    """Books of a pipeline that balance."""
    unmatched, queued, routed = (draw(counts) for _ in range(3))
    host = HostStats("h", draw(counts), {"5xx": draw(counts)}, draw(rates), draw(rates))
    books = {one.label: one for one in draw(st.lists(inspectors(), max_size=3))}
    return Stats(
        accepted=unmatched + queued + routed,
        unmatched=unmatched,
        queued=queued,
        routed=routed,
        inspectors=tuple(books.values()),
        hosts=(host,),
        capture=draw(st.sampled_from([Latency(), Latency(1, 0.5, 0.5, ((1.0, 1), (float("inf"), 1)))])),
    )
