"""The single gate from the raw exchange to the record that may leave the process."""

from __future__ import annotations

from .gate import redact, redact_text
from .notices import redact_notice
from .rules import UNREDACTED, Redaction

__all__ = ["UNREDACTED", "Redaction", "redact", "redact_notice", "redact_text"]
