"""What a user can change: names, shapes, a callable, the mode, the markers, and the strict and the absent rules."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
from urllib.parse import quote

import pytest
from support.receiver import Receiver

from curl_interceptor import UNREDACTED, ConfigurationError, CurlInterceptor, Redaction, WebhookInspector, to_curl
from curl_interceptor.dialects import render
from curl_interceptor.inspectors.logger import LoggingInspector
from curl_interceptor.inspectors.webhook import document
from curl_interceptor.records.exchange import Failure
from curl_interceptor.records.redaction import redact, redact_text

from .corpus import LONG, exchange

DEFAULT = Redaction()

HIDING = """
    password Password PASSWORD user_password userPassword user-password user[password] user.password password2
    password_confirmation apiKey APIKey api_key X-Api-Key apikey myapitoken accessToken refresh_tokens
    client_secret DB_PASSWORD AWS_SECRET_ACCESS_KEY X-Hub-Signature-256 sessionId JSESSIONID csrfmiddlewaretoken
    _authToken secret_value private_key_pem authorization set-cookie jwt passphrase
"""
SHOWING = """
    author authority keyboard monkey key code max_tokens_per_day token_count token_type tokenizer session_count
    passwordless password_policy public_key primary_key idempotency_key signature_version design compass bypass
    secretary passport status_code X-Request-Id ETag Content-Type id name user
"""


@pytest.mark.parametrize("name", HIDING.split())
def test_secret_names_hide(name):
    """
    A name that ends with a word of the default set hides its value, however it is written.
    """
    assert DEFAULT.hides(name)


@pytest.mark.parametrize("name", SHOWING.split())
def test_lookalikes_show(name):
    """
    A name that only contains such a word, or goes on with another one, does not.
    """
    assert not DEFAULT.hides(name)


def test_bare_key_and_code_are_secret_in_urls_only():
    """
    `key` and `code` hide in queries and forms, not in JSON.
    """
    assert redact_text("https://x.example.com/?key=abc&code=def", DEFAULT).count("REDACTED") == 2
    assert redact_text('{"key": "abc", "code": "def"}', DEFAULT) == '{"key": "abc", "code": "def"}'


@pytest.mark.parametrize("name", ["пароль", "Пароль", "ПАРОЛЬ", "密码", "db_密码", "contraseña", "Ключ"])
@pytest.mark.parametrize(
    "write",
    [
        lambda name: json.dumps({"a": 1, name: "s3cr3t-value"}),
        lambda name: json.dumps({"a": 1, name: "s3cr3t-value"}, ensure_ascii=False),
        lambda name: f"a=1&{quote(name)}=s3cr3t-value",
        lambda name: f"see https://example.com/?{quote(name)}=s3cr3t-value and {'more words, ' * 20}",
        lambda name: f"{name}: s3cr3t-value",
        lambda name: f"<a><{name}>s3cr3t-value</{name}></a>",
    ],
    ids=["escaped JSON", "JSON", "form", "URL", "text", "XML"],
)
def test_names_in_other_scripts_hide(name, write):
    """
    A secret name that is not ASCII hides its value however it is encoded.
    """
    assert "s3cr3t" not in redact_text(write(name), Redaction(names=["ключ"]))


def test_numbers_under_plurals_are_counts():
    """
    `max_tokens: 256` stays, `tokens: [...]` does not, nor do ten digits, which count nothing.
    """
    text = '{"max_tokens": 256, "tokens": ["abc", "def"], "passwords": 4111111111}'
    hidden = {"max_tokens": 256, "tokens": ["REDACTED", "REDACTED"], "passwords": "REDACTED"}
    assert json.loads(redact_text(text, DEFAULT)) == hidden


@pytest.mark.parametrize("value", ["true", "false", "null", '""'])
def test_booleans_null_and_empty_values_stay(value):
    """
    They are no secrets, and tell a reader what went wrong.
    """
    text = f'{{"password": {value}, "n": 1}}'
    assert redact_text(text, DEFAULT) == text


def test_names_can_be_added_and_kept():
    """
    Words, exact names and patterns hide more; kept ones show.
    """
    rules = Redaction(names=["internal-id", re.compile("^x_")], exact=["data"], keep=["csrf_token", re.compile("demo")])
    shown = redact_text('{"myInternalId": "a", "x_1": "b", "data": "c", "metadata": "d"}', rules)
    assert json.loads(shown) == {"myInternalId": "REDACTED", "x_1": "REDACTED", "data": "REDACTED", "metadata": "d"}
    text = '{"csrf_token": "a", "demo_password": "b"}'
    assert redact_text(text, rules) == text


def test_words_of_the_default_set_can_be_removed():
    """
    A removed word means nothing any more; others still do.
    """
    text = '{"training_session": "morning", "password": "REDACTED"}'
    assert redact_text(text.replace("REDACTED", "x"), Redaction(remove=["session"])) == text


def test_shapes_can_be_added():
    """
    A pattern of the user's hides wherever it matches.
    """
    rules = Redaction(shapes=[re.compile(r"acme_[0-9a-f]{8}")])
    assert redact_text("see acme_0123abcd", rules) == "see REDACTED"
    assert redact_text('{"a": "acme_0123abcd"}', rules) == '{"a": "REDACTED"}'


def test_a_callable_gets_the_rest():
    """
    It sees each text after everything else, and what it returns is shown.
    """
    rules = Redaction(also=lambda text: text.replace("Jane", "J."))
    record = redact(exchange(body='{"name": "Jane", "password": "x"}', headers=(("X-Name", "Jane"),)), rules, id="1")
    assert record.request_body == b'{"name": "J.", "password": "REDACTED"}'
    assert ("X-Name", "J.") in record.request_headers


@pytest.mark.parametrize("fails", [lambda text: 1 / 0, lambda text: None, lambda text: text.encode()])
def test_a_callable_that_fails_lets_nothing_out(fails):
    """
    Where it raises or returns no text, bodies are left out and markers stand for the other texts.
    """
    made = exchange("https://api.example.com/Jane", (("X-Name", "Jane"),), "I am Jane", response=b"Hello Jane")
    rules = Redaction(also=fails)
    for one in (made, exchange("https://api.example.com/Jane", failure=Failure("x.E", "Jane", ()))):
        record = redact(one, rules, id="1")
        assert "Jane" not in repr(record)
        assert "Jane" not in json.dumps(document(record))
        assert record.url.startswith("https://api.example.com/")
    assert redact(made, rules, id="1").request_body_state == "missing"


def test_numbered_markers_tell_equal_secrets_apart():
    """
    The same secret has the same number wherever it stands; the number tells nothing of it.
    """
    text = '{"password": "numbered-a", "token": "numbered-b", "secret": "numbered-a"}'
    shown = json.loads(redact_text(text, Redaction(numbered=True)))
    assert re.fullmatch("REDACTED-[0-9]+", shown["password"])
    assert shown["password"] == shown["secret"] != shown["token"]
    header = redact(exchange(headers=(("X-Api-Key", "numbered-a"),)), Redaction(numbered=True), id="1").request_headers
    assert header == (("X-Api-Key", shown["password"]),)


def test_drop_leaves_headers_cookies_and_parameters_out():
    """
    What holds a secret is gone, the rest is unchanged, and JSON keeps its markers.
    """
    headers = (("Authorization", "Bearer abc"), ("Cookie", "sid=abc"), ("X-Note", "n"))
    made = exchange("https://api.example.com/x?a=1&token=abc&b=2", headers, '{"password": "abc"}')
    record = redact(made, Redaction(mode="drop"), id="1")
    assert record.url == "https://api.example.com/x?a=1&b=2"
    assert [name for name, _ in record.request_headers] == ["X-Note", "Content-Length"]
    assert record.request_body == b'{"password": "REDACTED"}'


HEADERS = (
    ("Authorization", "Bearer abc"),
    ("Cookie", "sid=s1; theme=t2"),
    ("X-Api-Key", "k$1`'\"!"),
    ("X-Pwd", "w"),
    ("X-Note", "REDACTED-API-TOKEN costs $1 `id` $(id)"),
)


def test_env_renders_variables_in_double_quotes():
    """
    Header values become variables, which the record lists; inside JSON and URLs the marker stays.
    """
    made = exchange("https://api.example.com/x?token=abc", HEADERS, '{"password": "abc"}')
    record = redact(made, Redaction(mode="env"), id="1")
    command = render(record)
    assert '-H "Authorization: Bearer $API_TOKEN"' in command
    assert '-H "Cookie: sid=$COOKIE_SID; theme=$COOKIE_THEME"' in command
    assert "?token=REDACTED'" in command
    assert '{"password": "REDACTED"}' in command
    assert document(record)["variables"] == {
        "API_TOKEN": "Authorization",
        "COOKIE_SID": "Cookie",
        "COOKIE_THEME": "Cookie",
        "API_KEY": "X-Api-Key",
        "API_PWD": "X-Pwd",
    }
    (line,) = LoggingInspector().payloads([record])
    assert b", set $API_TOKEN $COOKIE_SID $COOKIE_THEME $API_KEY $API_PWD first: curl " in line.body
    assert "REDACTED-API-TOKEN costs $1" in command, "another header is not ours to fill in"


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="needs curl and bash")
@pytest.mark.parametrize("shell", [shell for shell in ("bash", "dash", "zsh", "fish", "ksh93") if shutil.which(shell)])
def test_env_commands_send_what_the_variables_hold(shell):
    """
    With the variables set, the shell and curl send the headers that the app sent.
    """
    with Receiver() as receiver:
        made = exchange(receiver.url("/x"), HEADERS)
        record = redact(made, Redaction(mode="env"), id="1")
        values = {"API_TOKEN": "abc", "COOKIE_SID": "s1", "COOKIE_THEME": "t2", "API_KEY": "k$1`'\"!", "API_PWD": "w"}
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", **values}
        subprocess.run([shell, "-c", render(record)], env=environment, check=True, capture_output=True, timeout=20)
        (request,) = receiver.wait(1)
    sent = {name.lower(): value for name, value in request.headers.items()}
    assert {name.lower(): value for name, value in HEADERS}.items() <= sent.items()


def test_strict_shows_what_is_listed_and_nothing_else():
    """
    No body, no query value, no free text; listed headers only.
    """
    made = exchange(
        f"https://api.example.com/v1/users/{LONG}?page=harmless",
        (("Accept", "x/y"), ("X-Note", "harmless")),
        "harmless",
        response=b"harmless",
        reason="harmless",
    )
    record = redact(made, Redaction.strict(), id="1")
    assert "harmless" not in repr(record)
    assert record.url == "https://api.example.com/v1/users/REDACTED?page=REDACTED"
    assert ("Accept", "x/y") in record.request_headers
    assert ("X-Note", "harmless") in redact(made, Redaction.strict(headers=["X-Note"]), id="1").request_headers
    failed = redact(exchange(failure=Failure("x.E", "harmless", ())), Redaction.strict(), id="1")
    assert (failed.error, failed.error_message) == ("x.E", "REDACTED")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Redaction(names="password"), ["names", "list"]),
        (lambda: Redaction(names=["--"]), ["names"]),
        (lambda: Redaction(keep={"a": 1}), ["keep", "list"]),
        (lambda: Redaction(remove=["horse"]), ["remove", "default set"]),
        (lambda: Redaction(shapes=["abc"]), ["shapes", "re.compile"]),
        (lambda: Redaction(shapes=[re.compile(b"abc")]), ["shapes"]),
        (lambda: Redaction(mode="hide"), ["mode", "mask", "env", "drop"]),
        (lambda: Redaction(also="text"), ["also", "callable"]),
        (lambda: Redaction(numbered="yes"), ["numbered"]),
        (lambda: CurlInterceptor(redaction=None), ["redaction", "UNREDACTED"]),
        (lambda: to_curl("x", redaction=None), ["redaction", "UNREDACTED"]),
    ],
)
def test_mistakes_are_named(make, words):
    """
    What cannot mean anything is refused with a sentence that helps.
    """
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("rules", [Redaction(names=["x"], numbered=True), Redaction.strict(), UNREDACTED], ids=repr)
def test_rules_survive_a_pickle(rules):
    """
    A copy in another process hides the same.
    """
    copy = pickle.loads(pickle.dumps(rules))
    assert copy == rules
    assert (copy is UNREDACTED) == (rules is UNREDACTED)


def test_raw_facts_do_not_show_themselves():
    """
    The repr of an exchange, such as a tracker takes it from a frame, holds nothing of it.
    """
    made = exchange("https://api.example.com/?a=hush", (("X", "hush"),), "hush", failure=Failure("x.E", "hush", ()))
    assert all("hush" not in repr(part) for part in (made, made.request, made.failure, [made]))
    assert "hush" not in repr(exchange(response=b"hush").response)


def test_webhook_addresses_do_not_show_themselves():
    """
    Neither repr nor default label of an inspector tells its URL.
    """
    inspector = WebhookInspector("https://hooks.example.com/hush")
    assert "hush" not in repr(inspector) + inspector.label
