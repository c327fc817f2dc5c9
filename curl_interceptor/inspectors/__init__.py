"""Destinations: an address, what is wanted there, how entries become payloads, and what an answer means."""

from __future__ import annotations

from .base import Answer, Entry, Inspector, Payload
from .discord import DiscordInspector
from .file import FileInspector
from .lazy import LazyInspector
from .logger import LoggingInspector
from .mattermost import MattermostInspector
from .rocketchat import RocketChatInspector
from .slack import SlackInspector
from .webhook import WebhookInspector

__all__ = [
    "Answer",
    "DiscordInspector",
    "Entry",
    "FileInspector",
    "Inspector",
    "LazyInspector",
    "LoggingInspector",
    "MattermostInspector",
    "Payload",
    "RocketChatInspector",
    "SlackInspector",
    "WebhookInspector",
]
