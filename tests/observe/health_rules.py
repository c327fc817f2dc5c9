"""The rules of draft-inadarei-api-health-check-06, each as a check of a document and of the HTTP status beside it."""

from __future__ import annotations

import re
from typing import Any

# Section 4 and 4.2; other names would have to be terms of a registry, or URIs.
MEASUREMENTS = {"utilization", "responseTime", "connections", "uptime"}
COMPONENT_TYPES = {"component", "datastore", "system"}
STATUSES = {"pass": "2..|3..", "warn": "2..|3..", "fail": "4..|5.."}
ROOT = {
    "status", "version", "releaseId", "notes", "output", "checks", "links", "serviceId", "description",
}  # fmt: skip
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
UNITS = {"percent", "s"}


def broken_rules(document: Any, http_status: int) -> list[str]:
    """Return what is against the draft."""
    if not isinstance(document, dict):
        return ["the document is an object"]
    broken = []
    status = document.get("status")
    if status not in STATUSES:
        broken.append("3.1: status is one of pass, warn and fail")
    elif not re.fullmatch(STATUSES[status], str(http_status)):
        broken.append(f"3.1: {status} goes with {STATUSES[status]}, not with {http_status}")
    if status == "warn" and not set(document) & {"output", "notes", "checks"}:
        broken.append("3.1: a warning has additional information")
    if status == "pass" and "output" in document:
        broken.append("3.5: output is left out where all is well")
    if not set(document) <= ROOT:
        broken.append(f"3: unknown fields {set(document) - ROOT}")
    if not all(isinstance(note, str) for note in document.get("notes", [])):
        broken.append("3.4: notes are an array")
    statuses = [status] if status in STATUSES else []
    for key, found in document.get("checks", {}).items():
        broken += _broken_key(key)
        if not isinstance(found, list) or not found:
            broken.append(f"4: {key} is an array with something in it")
            continue
        for check in found:
            broken += [f"{key}: {rule}" for rule in _broken_check(check)]
            statuses.append(check.get("status", "pass"))
    if statuses and max(map(list(STATUSES).index, statuses)) != list(STATUSES).index(statuses[0]):
        broken.append("the status of the whole is the worst one of its parts")
    return broken


def _broken_key(key: str) -> list[str]:
    component, colon, measurement = key.partition(":")
    if colon and (not component or measurement not in MEASUREMENTS):
        return [f"4: {key} is no pair of a component and a measurement without colons"]
    return []


def _broken_check(check: dict[str, Any]) -> list[str]:
    broken = []
    if not check:
        broken.append("4: a check has at least one key")
    if check.get("componentType") not in COMPONENT_TYPES:
        broken.append("4.2: componentType is there, since the component has a name")
    if ("observedValue" in check) != ("observedUnit" in check) or check.get("observedUnit", "s") not in UNITS:
        broken.append("4.4: a value has its unit")
    if check.get("status") not in STATUSES:
        broken.append("4.5: status is one of pass, warn and fail")
    if check.get("status") == "pass" and {"output", "affectedEndpoints"} & set(check):
        broken.append("4.6, 4.8: output and affectedEndpoints are left out where all is well")
    if not RFC3339.fullmatch(str(check.get("time"))):
        broken.append("4.7: time is a date and time of RFC 3339")
    return broken
