"""
The figures as a health document, `application/health+json`, after draft-inadarei-api-health-check-06.

Webhooks in trouble are a concern, not a failure: the app answers its users as before. So the worst status is `warn`,
unless somebody asks for `fail`.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from .stats import InspectorStats, Stats

__all__ = ["MEDIA_TYPE", "health"]

MEDIA_TYPE = "application/health+json"

_NEARLY_FULL = 0.8
_MOST_DESTINATIONS = 100


def health(stats: Stats, *, at: float, trouble: str = "warn") -> dict[str, Any]:
    """Return the document. Its status is the worst one of its checks.

    Parameters
    ----------
    stats: The figures.
    at: When they were read, in seconds since the epoch.
    trouble: What a webhook in trouble is called: `"warn"` or `"fail"`.
    """
    time = datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    troubled_first = sorted(stats.inspectors, key=lambda one: _concern(one) is None)
    checks = {"queue:utilization": [_queue(stats, trouble)]}
    if troubled_first:
        checks["destination:responseTime"] = [_destination(one, trouble) for one in troubled_first[:_MOST_DESTINATIONS]]
    concerns = []
    for check in (check for found in checks.values() for check in found):
        check["time"] = time
        if "output" in check:
            concerns.append(f"{check['componentId']}: {check['output']}")
    document: dict[str, Any] = {
        "status": trouble if concerns else "pass",
        "description": "deliveries of curl_interceptor",
        "checks": checks,
    }
    if concerns:
        document["output"] = "; ".join(concerns[:10])
    notes = _notes(stats)
    if notes:
        document["notes"] = notes
    return document


def _queue(stats: Stats, trouble: str) -> dict[str, Any]:
    used = stats.queue.utilization
    check = {
        "componentId": "queue",
        "componentType": "component",
        "observedValue": round(100 * used, 1),
        "observedUnit": "percent",
    }
    return _judged(check, "nearly full" if used >= _NEARLY_FULL else None, trouble)


def _destination(one: InspectorStats, trouble: str) -> dict[str, Any]:
    check: dict[str, Any] = {"componentId": one.label, "componentType": "component"}
    if one.latency.mean is not None:
        check.update(observedValue=round(one.latency.mean, 4), observedUnit="s")
    check.update(
        breaker=one.breaker,
        pending=one.pending,
        oldestAge=None if one.oldest_age is None else round(one.oldest_age, 1),
        errorRatio=one.last_five_minutes.ratio,
    )
    return _judged(check, _concern(one), trouble)


def _judged(check: dict[str, Any], concern: str | None, trouble: str) -> dict[str, Any]:
    check["status"] = "pass" if concern is None else trouble
    if concern is not None:
        check["output"] = concern
    return check


def _concern(one: InspectorStats) -> str | None:
    """What an operator should know of a destination; None if there is nothing."""
    why = f" ({one.last_error})" if one.last_error else ""
    if one.breaker != "closed":
        return f"takes nothing at the moment{why}"
    if one.degraded == "counted":
        return f"entries were lost in the last minute{why}"
    if one.degraded is not None:
        return f"degraded in the last minute: {one.degraded}{why}"
    return None


def _notes(stats: Stats) -> list[str]:
    notes = []
    if stats.degraded is not None:
        notes.append(f"degraded: {stats.degraded}")
    if stats.off:
        notes.append(f"inspectors or fallbacks that are off, given as None or as an empty text: {stats.off}")
    if len(stats.inspectors) > _MOST_DESTINATIONS:
        notes.append(f"destinations shown: {_MOST_DESTINATIONS} of {len(stats.inspectors)}")
    return notes
