"""Failed `requests` calls as curl commands in your team's chat, without the app noticing."""

from __future__ import annotations

from .adapter import CaptureMixin, CurlInterceptor, mount
from .curl import to_curl
from .delivery.pipeline import Pipeline
from .dialects import render
from .errors import (
    BadPayload,
    CircuitOpen,
    ConfigurationError,
    CurlInterceptorError,
    DeadEndpoint,
    DeliveryError,
    Throttled,
    Transient,
)
from .handler import NoticeHandler
from .inspectors import (
    Answer,
    AppriseInspector,
    ConsoleInspector,
    DiscordInspector,
    FileInspector,
    GoogleChatInspector,
    Inspector,
    LazyInspector,
    LoggingInspector,
    MattermostInspector,
    Payload,
    RocketChatInspector,
    SlackInspector,
    TeamsInspector,
    TelegramInspector,
    WebhookInspector,
    webhooks,
)
from .observe.stats import InspectorStats, Stats
from .policies import (
    BatchPolicy,
    BreakerPolicy,
    CapturePolicy,
    Cooldown,
    LanePolicy,
    RateLimit,
    RetryPolicy,
    TransportPolicy,
)
from .pool_manager import CapturePoolManager, CaptureProxyManager
from .records.context import context, set_context, set_origin
from .records.match import Match, Matcher
from .records.notice import Notice
from .records.record import Record
from .records.redaction import UNREDACTED, Redaction
from .version import __version__

__all__ = [
    "Answer",
    "AppriseInspector",
    "BadPayload",
    "BatchPolicy",
    "BreakerPolicy",
    "CaptureMixin",
    "CapturePolicy",
    "CapturePoolManager",
    "CaptureProxyManager",
    "CircuitOpen",
    "ConfigurationError",
    "ConsoleInspector",
    "Cooldown",
    "CurlInterceptor",
    "CurlInterceptorError",
    "DeadEndpoint",
    "DeliveryError",
    "DiscordInspector",
    "FileInspector",
    "GoogleChatInspector",
    "Inspector",
    "InspectorStats",
    "LanePolicy",
    "LazyInspector",
    "LoggingInspector",
    "Match",
    "Matcher",
    "MattermostInspector",
    "Notice",
    "NoticeHandler",
    "Payload",
    "Pipeline",
    "RateLimit",
    "Record",
    "Redaction",
    "RetryPolicy",
    "RocketChatInspector",
    "SlackInspector",
    "Stats",
    "TeamsInspector",
    "TelegramInspector",
    "Throttled",
    "UNREDACTED",
    "TransportPolicy",
    "Transient",
    "WebhookInspector",
    "__version__",
    "context",
    "mount",
    "render",
    "set_context",
    "set_origin",
    "to_curl",
    "webhooks",
]
