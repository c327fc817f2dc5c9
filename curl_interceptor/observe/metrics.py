"""
The figures as text for Prometheus, in its format 0.0.4 or as OpenMetrics 1.0.

Labels are names of destinations, hosts of the app's calls, and words of ours: never a URL. Their number is bounded, so
that a scrape stays small: what is beyond the bound is added up under `other`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf

from .calls import OTHER
from .degradation import DEGRADATIONS
from .stats import InspectorStats, Latency, Rate, Stats, joined

__all__ = ["OPENMETRICS", "TEXT", "exposition"]

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_PREFIX = "curl_interceptor_"
_MOST_DESTINATIONS = 100
_DROP_REASONS = ("queue_full", "bytes_full", "lane_full", "expired", "endpoint_gone", "shutdown")  # shown from 0 on
_BREAKER_STATES = ("closed", "half-open", "open")

_Sample = tuple[str, Mapping[str, str], float]
"""What stands behind the family's name, the labels, and the value."""


@dataclass(frozen=True)
class _Family:
    """One metric: its name without suffix, its type, what it says, and its samples."""

    name: str
    type: str
    help: str
    samples: Iterable[_Sample]


def exposition(stats: Stats, *, openmetrics: bool = False) -> str:
    """Return the figures as text.

    Parameters
    ----------
    stats: The figures.
    openmetrics: Whether to write OpenMetrics instead of Prometheus' own format.
    """
    lines: list[str] = []
    for family in (*_pipeline(stats), *_destinations(_bounded(stats.inspectors)), *_app(stats)):
        name = _PREFIX + family.name
        # OpenMetrics names a counter without its suffix where it is described, Prometheus with it.
        described = f"{name}_total" if family.type == "counter" and not openmetrics else name
        lines.append(f"# HELP {described} {family.help}")
        lines.append(f"# TYPE {described} {family.type}")
        suffix = "_total" if family.type == "counter" else ""
        lines += (f"{name}{suffix}{end}{_labels(labels)} {_number(value)}" for end, labels, value in family.samples)
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _pipeline(stats: Stats) -> Iterator[_Family]:
    outcomes = {"unmatched": stats.unmatched, "dropped": sum(stats.dropped.values()), "routed": stats.routed}
    yield _counter("records", "Exchanges that passed the screen, by what became of them.", "outcome", outcomes)
    yield _counter("dropped", "Exchanges and entries that were not sent, by reason.", "reason", _dropped(stats))
    yield _counter("errors", "Trouble inside the pipeline and in callables of the app, by kind.", "kind", stats.errors)
    yield _gauge("queue_size", "Exchanges that wait in the queue.", stats.queue.length)
    yield _gauge("queue_capacity", "Most exchanges that may wait in the queue.", stats.queue.capacity)
    yield _gauge("queue_bytes", "Approximate memory of what waits in the queue.", stats.queue.bytes)
    yield _gauge("queue_capacity_bytes", "Most memory that the queue may hold.", stats.queue.capacity_bytes)
    yield _gauge("held_bytes", "Approximate memory of all that waits.", stats.held_bytes)
    yield _gauge("threads", "Threads of the pipeline.", stats.threads)
    yield _gauge("inspectors_off", "Inspectors and fallbacks given as None or as an empty text.", stats.off)
    steps = [("", {"step": step}, float(step == stats.degraded)) for step in DEGRADATIONS]
    yield _Family("degraded", "gauge", "1 for the deepest step of degradation of the last minute.", steps)
    spent = _histogram({}, stats.capture)
    yield _Family("capture_seconds", "histogram", "Time of captured calls spent in the caller's thread.", spent)


def _destinations(inspectors: tuple[InspectorStats, ...]) -> Iterator[_Family]:
    def family(name: str, kind: str, text: str, samples: Iterable[tuple[InspectorStats, str, str, float]]) -> _Family:
        pairs = (
            ({"destination": one.label, **({key: word} if key else {})}, value) for one, key, word, value in samples
        )
        return _Family(name, kind, text, [("", labels, value) for labels, value in pairs])

    yield family(
        "deliveries",
        "counter",
        "Entries by destination and outcome.",
        (
            (one, "outcome", outcome, value)
            for one in inspectors
            for outcome, value in (
                ("delivered", one.delivered),
                ("failed", one.failed),
                ("dropped", sum(one.dropped.values())),
            )
        ),
    )
    for name, text in (("attempts", "Posts that were begun."), ("retries", "Posts after the first one of a batch.")):
        yield family(name, "counter", text, ((one, "", "", getattr(one, name)) for one in inspectors))
    for name, text in (
        ("pending", "Entries that wait or are on their way."),
        ("suppressed", "Entries that are told by the count of another: held back by the cooldown, or folded."),
        ("initialized", "0 for a destination that its factory has not made yet."),
    ):
        yield family(name, "gauge", text, ((one, "", "", getattr(one, name)) for one in inspectors))
    ages = ((one, "", "", one.oldest_age or 0.0) for one in inspectors)
    yield family("oldest_pending_seconds", "gauge", "Age of the oldest pending entry; 0 if there is none.", ages)
    last = ((one, "", "", one.last_success) for one in inspectors if one.last_success is not None)
    yield family("last_success_timestamp_seconds", "gauge", "When something was last delivered.", last)
    states = ((one, "state", state, float(state == one.breaker)) for one in inspectors for state in _BREAKER_STATES)
    yield family("breaker_state", "gauge", "1 for the state in which the circuit breaker is.", states)
    for name, text in (
        ("opened", "How often the circuit breaker opened."),
        ("closed", "How often the circuit breaker closed again."),
        ("trials", "Posts that were trials of an open circuit breaker."),
    ):
        yield family(f"breaker_{name}", "counter", text, ((one, "", "", getattr(one, name)) for one in inspectors))
    taken = ((one, "outcome", outcome, count) for one in inspectors for outcome, count in one.fallbacks.items())
    yield family("fallbacks", "counter", "What was given up, by what became of it.", taken)
    ratios = (
        (one, "window", window, _ratio(rate))
        for one in inspectors
        for window, rate in (("1m", one.last_minute), ("5m", one.last_five_minutes))
    )
    yield family("error_ratio", "gauge", "Share of attempts that delivered nothing; NaN without attempts.", ratios)
    buckets = [sample for one in inspectors for sample in _histogram({"destination": one.label}, one.latency)]
    yield _Family("delivery_seconds", "histogram", "How long attempts took.", buckets)


def _app(stats: Stats) -> Iterator[_Family]:
    calls = [("", {"host": host.host}, host.calls) for host in stats.hosts]
    yield _Family("app_calls", "counter", "The app's own calls, captured or not.", calls)
    errors = [
        ("", {"host": host.host, "outcome": outcome}, count)
        for host in stats.hosts
        for outcome, count in host.errors.items()
    ]
    yield _Family("app_errors", "counter", "The app's own calls that failed, captured or not.", errors)


def _counter(name: str, text: str, label: str, values: Mapping[str, int]) -> _Family:
    return _Family(name, "counter", text, [("", {label: key}, value) for key, value in values.items()])


def _gauge(name: str, text: str, value: float) -> _Family:
    return _Family(name, "gauge", text, [("", {}, value)])


def _histogram(labels: Mapping[str, str], latency: Latency) -> Iterator[_Sample]:
    for bound, count in latency.buckets:
        yield "_bucket", {**labels, "le": _number(float(bound))}, count
    if latency.buckets:
        yield "_sum", labels, latency.total
        yield "_count", labels, latency.count


def _dropped(stats: Stats) -> dict[str, int]:
    sums = {**dict.fromkeys(_DROP_REASONS, 0), **stats.dropped}
    for one in stats.inspectors:
        for reason, count in one.dropped.items():
            sums[reason] = sums.get(reason, 0) + count
    return sums


def _bounded(inspectors: tuple[InspectorStats, ...]) -> tuple[InspectorStats, ...]:
    """The destinations with the most entries by their names, the others added up."""
    if len(inspectors) <= _MOST_DESTINATIONS:
        return inspectors
    ranked = sorted(inspectors, key=lambda one: -one.routed)
    rest = (replace(one, label=OTHER) for one in ranked[_MOST_DESTINATIONS - 1 :])
    return joined((*ranked[: _MOST_DESTINATIONS - 1], *rest))


def _ratio(rate: Rate) -> float:
    return float("nan") if rate.ratio is None else rate.ratio


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    """Return a label's value; a lone surrogate, which UTF-8 does not have, becomes a question mark."""
    text = value.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if value == inf:
        return "+Inf"
    return repr(value) if isinstance(value, float) else str(int(value))
