"""Destinations: an address, what is wanted there, how entries become payloads, and what an answer means."""

from __future__ import annotations

from .apprise import AppriseInspector
from .base import Answer, Entry, Inspector, Payload
from .console import ConsoleInspector
from .discord import DiscordInspector
from .file import FileInspector
from .googlechat import GoogleChatInspector
from .lazy import LazyInspector
from .logger import LoggingInspector
from .mattermost import MattermostInspector
from .recognise import webhooks
from .rocketchat import RocketChatInspector
from .slack import SlackInspector
from .teams import TeamsInspector
from .telegram import TelegramInspector
from .webhook import WebhookInspector

__all__ = [
    "Answer",
    "AppriseInspector",
    "ConsoleInspector",
    "DiscordInspector",
    "Entry",
    "FileInspector",
    "GoogleChatInspector",
    "Inspector",
    "LazyInspector",
    "LoggingInspector",
    "MattermostInspector",
    "Payload",
    "RocketChatInspector",
    "SlackInspector",
    "TeamsInspector",
    "TelegramInspector",
    "WebhookInspector",
    "webhooks",
]
