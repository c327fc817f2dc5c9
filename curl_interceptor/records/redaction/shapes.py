"""
Secrets that are known by their looks: tokens of well-known issuers, private keys, and the paths of webhooks.

Each pattern begins with a literal and is tried only where the literal stands, from the start of a run of the
characters that it repeats. So no run is read twice from different places, and the time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..patterns import lazy

__all__ = ["Gist", "anchors", "gist", "hide", "is_plain"]

Mark = Callable[[str], str]

# A token begins where a word does, or behind an escape that was not taken apart.
_START = r"(?:(?<![\w-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt])|(?<=u00[0-9a-fA-F]{2}))"


def _token(*starts: str, rest: str = r"[\w-]", least: int = 16) -> list[tuple[str, re.Pattern[str]]]:
    """Patterns of tokens that are one run of characters behind a start; each start is a literal."""
    return [(start, lazy(f"{_START}({re.escape(start)}{rest}{{{least},}})")) for start in starts]


def _shape(literal: str, pattern: str) -> list[tuple[str, re.Pattern[str]]]:
    return [(literal, lazy(pattern))]


_ALNUM = "[A-Za-z0-9]"
_SHAPES: list[tuple[str, re.Pattern[str]]] = [
    *_shape("eyJ", _START + r"((?:sk\.)?eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3})"),
    *(
        (start, lazy(rf"(?<![A-Za-z0-9])({start}[A-Z0-9]{{16}})(?![A-Za-z0-9])"))
        for start in ("AKIA", "ASIA", "ABIA", "ACCA")
    ),
    *_token("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *_token("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glft-", "glsoat-", "glimt-", "glagent-", "gloas-"),
    *_token("xoxb-", "xoxp-", "xoxa-", "xoxs-", "xoxr-", "xoxo-", "xoxc-", "xoxd-", "xapp-", least=12),
    *_token("xoxe-", "xoxe.xoxp-", "xoxe.xoxb-", least=10),
    *_token("sk_live_", "sk_test_", "rk_live_", "rk_test_", least=10),
    *_token("whsec_", rest=r"[\w+/-]", least=16),
    *_shape("SG.", _START + r"(SG\.[\w-]{16,}\.[\w-]{16,})"),
    *_token("AIza", least=30),
    *_token("ya29.", rest=r"[\w.-]", least=16),
    *_token("GOCSPX-"),
    *_token("EAA", rest=_ALNUM, least=30),  # Facebook
    *_token("1//0", least=30),
    *_token("sk-proj-", "sk-ant-", "sk-svcacct-", "sk-admin-", "sk-or-v1-"),
    *_token("sk-", rest=_ALNUM, least=32),
    *_token("npm_", "hf_", "gsk_", "r8_", "lin_api_", "lin_oauth_", "pplx-", "xai-", rest=_ALNUM, least=20),
    *_shape("pypi-", _START + r"(pypi-(?=[\w-]*[0-9A-Z])[\w-]{20,})"),
    *_token("glsa_", "glc_", "figd_", "sbp_", "nfp_", "phx_", "tskey-", "lsv2_", "ntn_", "rubygems_", "dckr_pat_"),
    *_token(
        "pscale_tkn_", "pscale_pw_", "pscale_oauth_", "sntrys_", "sntryu_", "bkua_", "tfp_", "sqp_", "squ_", "rdme_"
    ),
    *_token("dop_v1_", "doo_v1_", "dor_v1_", rest="[0-9a-f]", least=32),
    *_token("shpat_", "shpss_", "shpca_", "shppa_", rest="[0-9a-fA-F]", least=20),
    *_token("sq0atp-", "sq0csp-", "HRKU-", "ATATT3x", "ATCTT3x", "ATBB", "PMAK-", "NRAK-", "CFPAT-", "FLWSECK"),
    *_token("dapi", "key-", rest="[0-9a-f]", least=32),
    *_token("SK", rest="[0-9a-f]", least=32),
    *_token("hvs.", "hvb.", "dp.pt.", "dp.st.", "dt0c01.", "xkeysib-", "EZAK", "EZTK", "AKCp", least=20),
    *_token("pat-na1-", "pat-eu1-", "access-sandbox-", "access-production-", least=20),
    *_token("AGE-SECRET-KEY-1", "LTAI", rest="[A-Z0-9a-z]", least=16),
    *_token("pul-", rest="[0-9a-f]", least=32),
    *_shape(":A", r"(?<![\w-])([0-9]{6,12}:A[\w-]{28,50})(?![\w-])"),  # a Telegram bot
    *_shape("bot", r"(?<=/bot)([0-9]{6,12}:[\w-]{20,50})"),
    *_shape("-us", r"(?<![\w-])([0-9a-f]{32}-us[0-9]{1,2})(?![\w-])"),  # Mailchimp
    # Any issuer that says itself what it issues; a publishable key says "pk".
    *(
        (middle, lazy(rf"(?<![\w-])((?!pk_)[a-z]{{2,12}}{middle}(?=\w{{0,40}}[0-9]){_ALNUM}{{16,}})"))
        for middle in ("_live_", "_prod_", "_secret_", "_pat_", "_token_", "_sk_")
    ),
    *_shape("secret_", _START + rf"(secret_{_ALNUM}{{32,}})"),
]
_DISCORD = lazy(r"(?<![\w-])([A-Za-z][\w-]{22,28}\.[\w-]{6}\.[\w-]{25,45})(?![\w-])")
_DISCORD_TAIL = lazy(r"\.[\w-]{6}\.[\w-]{25}")

_PEM = lazy(r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)((?:[A-Za-z0-9+/=\s\\:,._]|-(?!----))+)")
# A scheme's word and what it carries. A parameter behind it (`Bearer realm="…"`) is a challenge, and prose has neither
# digits nor capitals.
_SCHEME = lazy(
    r"\b((?i:bearer|basic|token|apikey)(?:\s{1,3}|%20|\+))((?=[\w.~+/%=-]{0,400}[0-9A-Z])[\w.~+/%-]{16,}={0,2})(?![\w=\"])"
)


# Behind these the rest of a URL is the secret.
_WEBHOOKS = lazy(
    r"""(
    hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/
    |discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{1,25}/
    |webhook\.office\.com/webhookb?2?/ |outlook\.office(?:365)?\.com/webhook/
    |hooks\.zapier\.com/hooks/catch/ |maker\.ifttt\.com/trigger/[^/\s"'?#]{1,100}/(?:json/)?with/key/
    |hook\.(?:[a-z0-9]{2,5}\.)?(?:make|integromat)\.com/ |webhook\.site/ |hc-ping\.com/
    |(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/ |webexapis\.com/v1/webhooks/incoming/
    |api\.flock\.com/hooks/sendMessage/ |api\.netlify\.com/build_hooks/ |events\.pagerduty\.com/integration/
    |api\.vercel\.com/v1/integrations/deploy/ |hooks\.airtable\.com/workflows/v1/genericWebhook/
    |api\.telegram\.org/(?:file/)?bot
    )([^\s"'<>?\#\\]+)""",
    re.VERBOSE | re.IGNORECASE,
)
_WEBHOOK_HOSTS = ("hook", "outlook.office", "ifttt", "hc-ping", "pagerduty", "telegram", "vercel")
# Anybody's hooks, and words after which a path holds what a mail was sent for: what looks drawn by chance is hidden.
_NAMED_SEGMENT = lazy(
    r"""(/(?:hooks?|web-?hooks?|incoming-?webhooks?|token|secret|api[_-]?key|magic|reset|reset[_-]password|password
    |activate|confirm|invite|unsubscribe|verify)/(?:[\w.-]{1,40}/)?)([\w.~-]{16,})(?![\w.~-])""",
    re.VERBOSE | re.IGNORECASE,
)
_HOOKS_HOST = lazy(r"(://(?:[\w-]{1,60}\.)?(?:web)?hooks?\.[\w.-]{1,200}(?::[0-9]{1,5})?/)([^\s\"'<>?#\\]+)")

# Every shape has at least so many of these characters in a row. Blanking out the others is the quickest way to see it.
_LEAST = 16
_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_RUNS = bytes(code if code in _WORD + b".~+/%:" else 32 for code in range(256))
_WORDS = bytes(code if code in _WORD else 32 for code in range(256))


def _by_start() -> dict[bytes, list[str]]:
    """The literals that stand at the start of a word, by their first three characters."""
    found: dict[bytes, list[str]] = {}
    for literal in dict.fromkeys(literal for literal, _ in _SHAPES):
        head = re.split(r"[^\w-]", literal)[0][:3]
        tails = "0123456789abcdef" if literal == "SK" else [""]
        for tail in tails if literal not in _ANYWHERE else ():
            found.setdefault(f"{head}{tail}".encode(), []).append(literal)
    return found


# Those that stand in the middle of a word, or begin with what is none.
_ANYWHERE = ("_live_", "_prod_", "_secret_", "_pat_", "_token_", "_sk_", ":A", "bot", "-us", "1//0")
_STARTS = _by_start()
_HEADS = frozenset(_STARTS)


class Gist(NamedTuple):
    """What a text repeats, once: most texts are several times as long."""

    runs: set[bytes]
    """The distinct runs of characters that names and tokens are made of."""
    words: str
    """All of them in lower case, to be searched."""


def gist(text: str) -> Gist:
    """Return what of a text has to be looked at."""
    runs = set(text.encode("utf-8", "surrogatepass").translate(_RUNS).split())
    return Gist(runs, b" ".join(runs).decode("ascii").lower())


def anchors(text: str, seen: Gist | None = None) -> list[str]:
    """Return texts of which at least one stands in each secret that is known by its looks; empty for most texts."""
    if len(text) < _LEAST:
        return []
    runs, words = gist(text) if seen is None else seen
    longs = [run for run in runs if len(run) >= _LEAST]
    if not longs:
        return []
    joined = b" ".join(longs)
    heads = {word[:3] for word in joined.translate(_WORDS).split()}
    if b"%" in joined or "\\" in text:  # an escape that was not taken apart stands before a word
        heads |= {word[skip : skip + 3] for word in joined.translate(_WORDS).split() for skip in (1, 2, 5)}
    found = [literal for head in heads & _HEADS for literal in _STARTS[head] if literal in text]
    long_text = joined.decode("ascii")
    found += [literal for literal in _ANYWHERE if literal in long_text]
    if "private" in words and "PRIVATE KEY" in text:
        found.append("PRIVATE KEY")
    if "/" in long_text:
        found += [host for host in _WEBHOOK_HOSTS if host in long_text]
        found += {segment[1] for segment in _NAMED_SEGMENT.finditer(text)}
    if "." in long_text:
        found += {tail[0] for tail in _DISCORD_TAIL.finditer(long_text)}
    if "bearer" in words or "basic" in words or "token" in words or "apikey" in words:
        found += {scheme[1] for scheme in _SCHEME.finditer(text)}
    return found


def is_plain(text: str) -> bool:
    """Whether the text can hold no secret that is known by its looks."""
    return not anchors(text)


def hide(text: str, mark: Mark, more: Iterable[re.Pattern[str]] = ()) -> str:
    """Return the text with a mark in the place of all that looks like a secret."""
    for literal, pattern in _SHAPES:
        if literal in text:
            text = pattern.sub(lambda found: mark(found[1]), text)
    if "PRIVATE KEY" in text:
        text = _PEM.sub(lambda found: found[1] + mark(found[2]), text)
    text = _SCHEME.sub(lambda found: found[1] + mark(found[2]), text)
    if "." in text and _DISCORD_TAIL.search(text):
        text = _DISCORD.sub(lambda found: mark(found[1]), text)
    if "/" in text:
        text = _hide_paths(text, mark)
    for pattern in more:
        text = pattern.sub(lambda found: mark(found[0]) if found[0] else "", text)
    return text


def _hide_paths(text: str, mark: Mark) -> str:
    if any(host in text for host in _WEBHOOK_HOSTS):
        text = _WEBHOOKS.sub(lambda found: found[1] + _segments(found[2], mark), text)
        text = _HOOKS_HOST.sub(lambda found: found[1] + _opaque_segments(found[2], mark), text)
    return _NAMED_SEGMENT.sub(lambda found: found[1] + (mark(found[2]) if _is_opaque(found[2]) else found[2]), text)


def _segments(path: str, mark: Mark) -> str:
    """Hide a webhook's path as one; a method of a bot's stays, since it tells what was called."""
    first, slash, rest = path.partition("/")
    if slash and rest.isalpha() and ":" in first:
        return mark(first) + slash + rest
    return path if path.strip("/") == "" else mark(path)


def _opaque_segments(path: str, mark: Mark) -> str:
    return "/".join(mark(part) if len(part) >= 8 and _is_opaque(part) else part for part in path.split("/"))


def _is_opaque(text: str) -> bool:
    """Whether it looks drawn by chance: digits and letters, or capitals among small letters."""
    if text.startswith("REDACTED") or text.isdigit():
        return False
    letters = text.strip("-_.~")
    has_digit = any(letter.isdigit() for letter in letters)
    mixed = any(letter.islower() for letter in letters) and any(letter.isupper() for letter in letters[1:])
    return (has_digit and any(letter.isalpha() for letter in letters)) or mixed
