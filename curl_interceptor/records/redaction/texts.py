"""
Hiding what is secret in text of any kind: URLs, pairs of names and values, tokens.

This is also the net below the other rooms: what is cut, broken or of no known kind is searched here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ..patterns import lazy
from . import own, shapes, urls
from .headers import cookies, set_cookies
from .scan import Edit, Scan, apply, is_harmless

if TYPE_CHECKING:
    from .rules import Redaction

__all__ = ["anchors", "is_quiet", "text"]

_SHORT = 200

# A name, what closes it, and what separates it from its value. A name begins where a run of its characters does, so
# that no run is read from two places; its closing quotes may be escaped any number of times.
_PAIR = lazy(
    r"""(?<![\w.%$-])([\w.%$-]{2,})((?:[\\"'`\])]|&quot;){0,40})
    (\s{0,5}(?:=>|->|:=|={1,3}|:|%3[dDaA](?:%20|\+){0,8})[ \t]{0,8} | \s{0,3}(?:>|&gt;)
    |[ ](?:is|was)[ :]{1,3} | [ ](?=["'`]) | (?<=["']),[ ]?(?=["']))""",
    re.VERBOSE,
)
_OPENER = lazy(r"""\\{0,40}(?:["'`]|&quot;|%22)""")
# A comma or a semicolon belongs to a value unless white space or another pair follows, an apostrophe unless the value
# ends there, and an ampersand where it could not separate two pairs.
_BARE, _BARE_BEHIND_COLON = (
    lazy(
        rf"""(?:[^{ends};,\s"'<>`{{}}\[\]\\]|[,;](?![\w .-]{{1,40}}[=:])(?!\s|\Z)
        |'(?=[^\s),\]}}])|\\(?!["'nrt])|[\[{{](?=[^"'\s]))+""",
        re.VERBOSE,
    )
    for ends in ("&", "")
)
_GROUP = lazy(r"""[\[{(]([^\[\]{}]{0,2000})[\]})]?""")
_OPTION = lazy(
    r"""(?<![^\s"'\[,(])--?([A-Za-z][\w-]{1,60})(["']?,?\s{1,3}|=)("[^"\n]{1,500}"|'[^'\n]{1,500}'|[^\s"',\]]{1,500})"""
)
_CURL_USER = lazy(r"""((?<!\S)(?:-u|--user|-U|--proxy-user)[ =]{1,3}["']?)([^\s:"']{1,200}:[^\s"']{1,200})""")
_USER_OPTIONS = ("-u ", "--user", "-U ", "--proxy-user", "-u=")
_USERINFO = lazy(r"""//[^\s"'<>]{1,500}@""")  # or something like it
_NETRC = lazy(r"(\blogin\s{1,20}\S{1,200}\s{1,20}password\s{1,20})(\S{1,500})")
# A parameter of a URL that was redacted already, before the URL became a part of this text.
_MARKED = lazy(r"REDACTED(?:-[0-9]{1,6})?(?=[?#/])")
_LINE = lazy(r"[^\r\n]{0,4000}")
_BLOCK = lazy(r"[|>][+-]?[0-9]?[ \t]{0,8}\r?\n((?:[ \t]{1,80}(?:\S[^\r\n]{0,2000})?(?:\r?\n|\Z)){0,200})")  # of YAML
_VARIABLE = lazy(r"\$[A-Za-z_]\w{0,80}")
_TYPE = lazy(r"\[?[A-Z][A-Za-z]{0,40}!?\]?!?")  # of a variable in GraphQL, or of an argument in code
_CALL = lazy(r"[A-Za-z_][\w.]{0,80}\(")
_ARN = lazy(r"\b[au]rn:[\w:/-]{0,190}:\Z")  # a name whose parts stand between colons
# What is said of a secret instead of telling it.
_STATES = frozenset(
    """
    required optional missing invalid expired failed closed open revoked rejected accepted enabled disabled unknown
    absent present empty str string bytes int bool any object
    """.split()  # noqa: SIM905
)
_PROSE = frozenset(["to", "is", "or", "and", "for", "if", "in", "on", "with", "as", "was", "has", "must", "can", "the"])
_DRAWN = lazy(r"[\"'`]|(?=\S{0,200}[0-9])\S{6}")  # what prose does not go on with
# Without any of these there is no pair of a name and a value.
_SEPARATOR = lazy(r"[=:>%]|&gt| -|^-|word |[\"'`],? ?[\"'`]| (?:is|was|[\"'`])")
_WORD = lazy(r"[A-Za-z]{1,30}[.,:;!?]?")
_WITH_SCHEME = lazy(r"(?i)(?:bearer|basic|token|digest|negotiate|ntlm|apikey|hawk|oauth|aws4-hmac-sha256) ")
_WHOLE_LINE = lazy(r"(?i)(?:digest|hawk|oauth|aws4-hmac-sha256) ")


def anchors(text: str, rules: Redaction) -> list[str]:
    """Return texts of which at least one stands in, or in the name of, all that is secret; empty for most texts.

    It is asked about everything, so it has to be quick: what a text repeats is looked at once.
    """
    seen = shapes.gist(text)
    words = seen.words
    found = [stem for stem in (rules.url_stems if "=" in text or "%3" in words else rules.stems) if stem in words]
    if not text.isascii() or "%" in words or ("\\" in text and "\\u" in text):
        lower = text.lower()
        found += [name for name in rules.foreign if name in lower]
    if "//" in words:
        found += own.found_in(text)
        if "@" in text:
            found += {userinfo[0] for userinfo in _USERINFO.finditer(text)}
    if "-" in words and (" -" in text or text[0] == "-"):
        found += [option for option in _USER_OPTIONS if option in text]
    return found + shapes.anchors(text, seen)


def is_quiet(text: str, rules: Redaction) -> bool:
    """Whether nothing in the text can be secret."""
    if rules.is_open:
        return False
    if len(text) < _SHORT and _SEPARATOR.search(text) is None:
        return shapes.is_plain(text)
    return not anchors(text, rules)


def text(value: str, scan: Scan) -> str:
    """Redact a text."""
    if is_quiet(value, scan.rules):
        return value
    if "//" in value or "\\/" in value:
        value = urls.in_text(value, scan)
    if scan.rules.shapes or not shapes.is_plain(value):
        value = shapes.hide(value, scan.rules.mark, scan.rules.shapes)
    value = apply(value, _pairs(value, scan))
    if "login" in value:  # of a .netrc
        value = _NETRC.sub(lambda found: found[1] + scan.hidden("password", found[2]), value)
    return _options(value, scan) if "-" in value else value


def _pairs(value: str, scan: Scan) -> list[Edit]:
    edits: list[Edit] = []
    done = 0
    hides = scan.rules.hides
    for found in _PAIR.finditer(value):
        if found.start() < done:
            continue
        name = unquote(found[1]) if "%" in found[1] else found[1]
        before = value[found.start() - 1 : found.start()]
        if hides(name, in_url=before in ("?", "&")) or (before == " " and _hides_phrase(value, found, name, scan)):
            done = _hide_value(value, found, name, scan, edits)
    return edits


def _hides_phrase(value: str, found: re.Match[str], name: str, scan: Scan) -> bool:
    """Whether a name of two words is secret, as in `API key: …`."""
    if name.lower() not in ("key", "code", "phrase"):
        return False
    word = value[max(0, found.start() - 40) : found.start()].split()[-1:]
    return bool(word) and scan.rules.hides(f"{word[0]} {name}")


def _hide_value(value: str, found: re.Match[str], name: str, scan: Scan, edits: list[Edit]) -> int:
    """Hide what follows a secret name, and return where the search goes on."""
    start, separator = found.end(), found[3].strip()
    if separator[:2] in ("is", "wa") and not _DRAWN.match(value, start):
        return start
    if separator in (">", "&gt;") and (found[2] or not _is_tag(value, found.start())):
        return start
    block = _BLOCK.match(value, start) if separator == ":" else None
    if block:
        first = block.start(1) + len(block[1]) - len(block[1].lstrip())
        return _edit(value, first, block.start(1) + len(block[1].rstrip()), name, scan, edits) if block[1] else first
    marker = _MARKED.match(value, start)
    if marker:
        return marker.end()
    opener = _OPENER.match(value, start)
    if opener and opener[0] != "\\":
        end = _closing(value, opener.end(), opener[0])
        return _edit(value, opener.end(), end, name, scan, edits)
    last = name.lower().rpartition("-")[2].rpartition("_")[2]
    if last in ("cookie", "cookie2") and separator == ":":
        return _cookie_line(value, start, name, scan, edits)
    if _WITH_SCHEME.match(value, start):
        return _edit(value, start, _end_of_credential(value, start), name, scan, edits)
    group = _GROUP.match(value, start)
    if group:
        return _edit(value, *group.span(1), name, scan, edits) if group[1].strip() else group.end()
    bare = (_BARE_BEHIND_COLON if separator == ":" else _BARE).match(value, start)
    if bare is None:
        return start
    end = start + len(bare[0].rstrip(").,:]}"))
    if _CALL.fullmatch(value, start, end):  # of code: `token = getToken()`
        return end
    if separator in (":", "%3A", "%3a") and _is_no_value(value, found, start, end):
        return end
    if separator == ":":
        end = max(end, _end_of_phrase(value, found, end))
    return _edit(value, start, end, name, scan, edits)


def _edit(value: str, start: int, end: int, name: str, scan: Scan, edits: list[Edit]) -> int:
    secret = value[start:end]
    shown = scan.hidden(name, secret)
    if shown != secret:
        edits.append((start, end, shown))
    return end


def _closing(value: str, start: int, opener: str) -> int:
    """Where a quoted value ends: at its own quote, escaped as often as the first one."""
    place = value.find(opener, start)
    while place > start and value[place - 1] == "\\" and _backslashes(value, place) % 2:
        place = value.find(opener, place + len(opener))
    return len(value) if place < 0 else place


def _backslashes(value: str, end: int) -> int:
    count = 0
    while count < 64 and value[end - count - 1 : end - count] == "\\":
        count += 1
    return count


def _is_tag(value: str, start: int) -> bool:
    before = value[max(0, start - 60) : start].replace("&lt;", "<")
    return "<" in before and before[-1:] in ("<", ":", "t")


def _cookie_line(value: str, start: int, name: str, scan: Scan, edits: list[Edit]) -> int:
    line = _LINE.match(value, start)
    end = line.end() if line else start
    for quote in ("'", '"', "\\"):  # such as -H 'Cookie: …'
        place = value.find(quote, start, end)
        end = place if place >= 0 else end
    hide = set_cookies if name.lower().startswith("set") else cookies
    edits.append((start, end, hide(value[start:end], scan)))
    return end


def _end_of_credential(value: str, start: int) -> int:
    """Where a scheme and what it carries end: at white space, and with parameters at the end of the line."""
    if _WHOLE_LINE.match(value, start):
        line = _LINE.match(value, start)
        end = line.end() if line else start
        return end - (1 if value[end - 1 : end] in "'\"" else 0)
    first = value.index(" ", start) + 1
    bare = re.compile(r"[^\s\"',;<>&\\]{0,8000}").match(value, first)
    return bare.end() if bare else first


def _is_no_value(value: str, found: re.Match[str], start: int, end: int) -> bool:
    """Whether a colon was one of prose or of code: `invalid token: expected …`, `$password: String!`."""
    bare = value[start:end]
    if _VARIABLE.fullmatch(bare) or (found[1].startswith("$") and _TYPE.match(bare)):
        return True
    before = value[max(0, found.start() - 200) : found.start()]
    if bare.lower() in _STATES or (before[-1:] == ":" and _ARN.search(before)):
        return True
    line = before.rpartition("\n")[2]
    in_prose = line[-1:] in (" ", "+") and line.rstrip(" +")[-1:].isalpha()
    return in_prose and not found[2] and _WORD.fullmatch(value[start : end + 1].strip()) is not None


def _end_of_phrase(value: str, found: re.Match[str], end: int) -> int:
    """Where the line ends, if it holds nothing but a name and its value, such as a passphrase in YAML."""
    line_start = value.rfind("\n", 0, found.start()) + 1
    if value[line_start : found.start()].strip(" \t-"):
        return end
    line = _LINE.match(value, end)
    rest = line[0] if line else ""
    return end if re.search(r"[=:,&;\"'{}#]", rest) else end + len(rest.rstrip())


def _options(value: str, scan: Scan) -> str:
    """Hide the values of options of a command line."""

    def hide(found: re.Match[str]) -> str:
        secret = found[3].strip("\"'")
        if found[2] == "=" or secret.startswith("-") or secret in _PROSE or not scan.rules.hides(found[1]):
            return found[0]
        return found[0][: found.start(3) - found.start()] + found[3].replace(secret, scan.hidden(found[1], secret))

    value = _OPTION.sub(hide, value)
    return _CURL_USER.sub(
        lambda found: found[0] if is_harmless(found[2]) else found[1] + scan.rules.mark(found[2]), value
    )
