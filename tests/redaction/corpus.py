"""
Planted secrets and lookalikes: what must never be seen outside, and what must stay.

A kind is a place where a secret stands. Each kind has templates with `{}` in the place of the secret, and each template
is filled with secrets of different looks. A kind that is `named` has to be hidden without exception.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from curl_interceptor.records.exchange import Exchange, Failure, RequestFacts, ResponseFacts

WEAK = "hunter2-Kj8w"
LONG = "9fQ2xLmZ7vBn4TtR1yWc8KdS3gHj6PaE"
WORDY = "tr0ub4dor&3"
PLAIN_URL = "https://api.example.com/v1/orders"


@dataclass(frozen=True)
class Planted:
    """A secret in a place."""

    kind: str
    title: str
    secret: str
    exchange: Exchange
    named: bool = True


@dataclass(frozen=True)
class Lookalike:
    """Something harmless that has to be seen in the record."""

    title: str
    text: str
    exchange: Exchange


def exchange(
    url: str = PLAIN_URL,
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes | str | None = None,
    state: str | None = None,
    response_headers: tuple[tuple[str, str], ...] = (),
    response: bytes = b"",
    reason: str = "Internal Server Error",
    failure: Failure | None = None,
    **more: Any,
) -> Exchange:
    """One call, with what matters filled in."""
    raw = body.encode() if isinstance(body, str) else body
    length = () if raw is None else (("Content-Length", str(len(raw))),)
    request = RequestFacts(
        "GET" if raw is None else "POST",
        url,
        (*headers, *length),
        raw,
        state or ("none" if raw is None else "complete"),  # type: ignore[arg-type]
        None if raw is None else len(raw),
        **more,
    )
    answer = None
    if failure is None:
        answer = ResponseFacts(500, reason, response_headers, (response,), "complete", len(response))
    return Exchange(request, answer, failure, started=0.0, elapsed=0.1)


def _both(content_type: str, body: bytes | str, **more: Any) -> Iterator[Exchange]:
    """A body as that of a request, and as that of a response."""
    raw = body.encode() if isinstance(body, str) else body
    headers = (("Content-Type", content_type),) if content_type else ()
    yield exchange(headers=headers, body=raw, **more)
    if not more:
        yield exchange(response_headers=headers, response=raw)


def _failure(message: str) -> Failure:
    return Failure("requests.exceptions.ConnectionError", message, ("builtins.OSError",))


def _listed(text: str) -> list[str]:
    return text.split()


HEADERS = _listed(
    """
    Authorization Proxy-Authorization X-Api-Key X-API-Token X-Auth-Token X-Amz-Security-Token X-Vault-Token
    PRIVATE-TOKEN X-CSRF DD-API-KEY Ocp-Apim-Subscription-Key X-Functions-Key X-CSRF-Token X-XSRF-TOKEN X-Session-Id
    X-Hub-Signature-256 Stripe-Signature X-Slack-Signature X-Shopify-Access-Token X-Shopify-Hmac-Sha256 X-Auth-Key
    apikey api_key x-client-secret X-User-Password X-Goog-Api-Key X-GitHub-Token Cf-Access-Client-Secret
    X-Plex-Token X-Twilio-Signature X-Amzn-Oidc-Accesstoken Fastly-Key X-JFrog-Art-Api X-Honeycomb-Team X-Insert-Key
    CB-ACCESS-SIGN KC-API-SIGN X-BAPI-SIGN
    """
)
PARAMETERS = _listed(
    """
    access_token id_token refresh_token api_key apikey key code token client_secret password secret auth jwt otp
    session_id sig signature X-Amz-Signature X-Amz-Credential X-Amz-Security-Token AWSAccessKeyId X-Goog-Signature
    sid oauth_token oauth_signature hmac user%5Bpassword%5D API%5FKEY hapikey subscription-key
    """
)
FIELDS = _listed(
    """
    password passwd pwd passphrase newPassword oldPassword password_confirmation dbPassword DB_PASSWORD secret
    clientSecret client_secret secretKey aws_secret_access_key apiKey api_key APIKey accessToken access_token
    refresh_token idToken authToken privateKey private_key sessionId session_token csrfToken csrfmiddlewaretoken
    authorization otp signature credentials passcode encryptionKey user.password x-api-key webhook_secret
    signing_key verification_code bearer_token jwt accountKey sharedAccessKey connectionPassword hashed_password
    """
)
TOKENS = {
    "jwt": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",  # noqa: E501
    "aws": "AKIAIOSFODNN7EXAMPLQ",
    "aws-temporary": "ASIAY34FZKBOKMUTVV7A",
    "github": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github-fine": "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg",
    "gitlab": "glpat-xYz12_AbCdEfGhIjKlMn",
    "slack": "xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
    "stripe": "sk_live_" + "51HxYzAbCdEfGhIjKlMnOpQr",
    "stripe-restricted": "rk_live_" + "51HxYzAbCdEfGhIjKlMnOpQr",
    "stripe-webhook": "whsec_" + "5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH",
    "sendgrid": "SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr",
    "google": "AIza" + "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
    "google-oauth": "ya29." + "a0AfH6SMBx3kPqRsTuVwXyZ1234567890abcd",
    "openai": "sk-proj-" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
    "anthropic": "sk-ant-" + "api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-AA",
    "npm": "npm_" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
    "pypi": "pypi-" + "AgEIcHlwaS5vcmcCJDU3YmE5ZTU3LWQxNTQtNGI0",
    "huggingface": "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh",
    "grafana": "glsa_" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345_6789abcd",
    "telegram": "110201543" + ":AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "facebook": "EAA" + "GNO4a7r2wBAKx3ZCq8ZAhJk2LmNoPqRsTuVwXyZ",
    "discord": "MTk4NjIyNDgzNDcxOTI1MjQ4" + ".Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs",
}
_PEM = "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----"


def _fill(kind: str, title: str, secret: str, made: Exchange, *, named: bool = True) -> Planted:
    return Planted(kind, title, secret, made, named)


def _headers() -> Iterator[Planted]:
    for index, name in enumerate(HEADERS):
        secret = (WEAK, LONG)[index % 2]
        yield _fill("request header", name, secret, exchange(headers=((name, secret),)))
        yield _fill("response header", name, secret, exchange(response_headers=((name, secret),)))
    for scheme in ("Bearer", "Basic", "Token", "ApiKey", "Negotiate"):
        yield _fill("authorization", scheme, LONG, exchange(headers=(("authorization", f"{scheme} {LONG}"),)))
    digest = f'Digest username="bob", realm="x", nonce="n", uri="/", response="{LONG}"'
    yield _fill("authorization", "Digest", LONG, exchange(headers=(("Authorization", digest),)))
    aws = f"AWS4-HMAC-SHA256 Credential=AK/20240101/eu/s3/aws4_request, SignedHeaders=host, Signature={LONG}"
    yield _fill("authorization", "AWS", LONG, exchange(headers=(("Authorization", aws),)))
    for text in ("sid={}", "theme=dark; sid={}; lang=de", "a=1; b={}==", "{}"):
        yield _fill("cookie", text, LONG, exchange(headers=(("Cookie", text.format(LONG)),)))
    for text in ("sid={}; Path=/; HttpOnly", "a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT, sid={}; Secure", "sid={}"):
        yield _fill("set-cookie", text, LONG, exchange(response_headers=(("Set-Cookie", text.format(LONG)),)))
    values = {
        "Location": (
            "https://app.example.com/cb?code={}",
            "https://app.example.com/cb#access_token={}&x=1",
            "/x?token={}",
        ),
        "Referer": ("https://u:{}@example.com/", "https://example.com/?session_id={}"),
        "X-Forwarded-Uri": ("/login?password={}",),
        "X-Debug": ("user=bob password={}", '{{"token": "{}"}}', "https://bob:{}@db.example.com/"),
        "Link": ("<https://api.example.com/x?page=2&access_token={}>; rel=next",),
    }
    for name, texts in values.items():
        for text in texts:
            made = exchange(response_headers=((name, text.format(LONG)),))
            yield _fill("inside a header's value", f"{name}: {text}", LONG, made)


def _urls() -> Iterator[Planted]:
    for index, name in enumerate(PARAMETERS):
        secret = (WEAK, LONG)[index % 2]
        url = f"{PLAIN_URL}?page=2&{name}={quote(secret)}&x=1"
        yield _fill("query", name, secret, exchange(url))
        yield _fill("query", f"{name} at the end", secret, exchange(f"{PLAIN_URL}?{name.upper()}={quote(secret)}"))
    for text in (
        "https://bob:{}@api.example.com/",
        "https://{}@api.example.com/",
        "https://{}:x-oauth-basic@github.com/o/r",
        "https://a@b:{}@h.com/",
    ):
        yield _fill("userinfo", text, WEAK, exchange(text.format(WEAK)))
    nested = quote(f"https://app.example.com/cb?access_token={LONG}", safe="")
    for text in (
        f"?next={nested}",
        f"?payload={quote(json.dumps({'password': LONG}))}",
        f"?data={quote('user=bob&password=' + LONG)}",
        f"?a=1;token={LONG}",
        f"?filter[token]={LONG}",
    ):
        yield _fill("inside a parameter", text[:20], LONG, exchange(PLAIN_URL + text))
    yield _fill("path parameter", "jsessionid", LONG, exchange(f"https://api.example.com/x;jsessionid={LONG}?a=1"))
    yield _fill("path parameter", "token", LONG, exchange(f"https://api.example.com/x;token={LONG}/y"))
    target = f"/v1/orders?api_key={LONG}"
    yield _fill("request target", "path", LONG, exchange(PLAIN_URL, target=target))
    yield _fill("request target", "absolute", LONG, exchange(PLAIN_URL, target="http://api.example.com" + target))


WEBHOOKS = (
    "https://hooks.slack.com/services/" + "T00000000/B00000000/{}",
    "https://discord.com/api/webhooks/123456789012345678/{}",
    "https://discordapp.com/api/webhooks/123456789012345678/{}",
    "https://example.webhook.office.com/webhookb2/" + "{}@11111111-2222/IncomingWebhook/abc",
    "https://hooks.zapier.com/hooks/catch/123456/{}/",
    "https://maker.ifttt.com/trigger/alarm/with/key/{}",
    "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k&token={}",
    "https://hook.eu1.make.com/{}",
    "https://open.feishu.cn/open-apis/bot/v2/hook/{}",
    "https://oapi.dingtalk.com/robot/send?access_token={}",
    "https://mattermost.example.com/hooks/{}",
    "https://prod-01.westeurope.logic.azure.com/workflows/x/triggers/manual/paths/invoke?sv=1.0&sig={}",
)


def _webhooks() -> Iterator[Planted]:
    for text in WEBHOOKS:
        url = text.format(LONG)
        yield _fill("webhook URL", text, LONG, exchange(url), named=False)
        yield _fill("webhook URL in text", text, LONG, exchange(body=f"posting to {url} failed"), named=False)
        body = json.dumps({"callback": url})
        yield _fill("webhook URL in JSON", text, LONG, exchange(body=body), named=False)
        message = f"HTTPSConnectionPool(host='x', port=443): Max retries exceeded with url: {url} (Caused by X)"
        yield _fill("webhook URL in an error", text, LONG, exchange(failure=_failure(message)), named=False)
    for path in ("sendMessage", "getMe"):
        token = TOKENS["telegram"]
        yield _fill("webhook URL", f"telegram {path}", token, exchange(f"https://api.telegram.org/bot{token}/{path}"))


def _json() -> Iterator[Planted]:
    for index, name in enumerate(FIELDS):
        secret = (WEAK, LONG, WORDY, 'q"uo\\te\u00e9', "1234567", "two words")[index % 6]
        shapes: tuple[Callable[[Any], Any], ...] = (
            lambda value: value,
            lambda value: {"data": [{"user": value, "n": 1}]},
            lambda value: {"message": "failed", "payload": json.dumps(value)},
        )
        for shape in shapes:
            for made in _both("application/json", json.dumps(shape({"id": 7, name: secret, "ok": True}))):
                yield _fill("JSON", name, secret, made)
    odd: dict[str, str] = {
        "number": '{"otp": 8402917364, "x": 1}'.replace("8402917364", "{}"),
        "array": '{"passwords": ["{}", "b"]}',
        "object": '{"credentials": {"user": "bob", "value": "{}"}}',
        "name and value": '{"env": [{"name": "DB_PASSWORD", "value": "{}"}]}',
        "value and name": '{"env": [{"value": "{}", "type": "s", "name": "api_key"}]}',
        "key and value": '[{"Key": "password", "Value": "{}"}]',
        "attribute": '{"attributes": [{"key": "token", "value": {"stringValue": "{}"}}]}',
        "list of pairs": '{"headers": [["Accept", "*/*"], ["Authorization", "{}"]]}',
        "map of lists": '{"headers": {"Authorization": ["{}"], "Accept": ["*/*"]}}',
        "escaped name": '{"pass\\u0077ord": "{}"}',
        "spaced": '{ "password" :\n   "{}" }',
        "twice in strings": json.dumps({"a": json.dumps({"b": json.dumps({"password": "{}"})})}),
        "query in a string": '{"url": "https://a.example.com/?x=1&token={}"}',
        "PHP's slashes": '{"url": "https:\\/\\/a.example.com\\/?x=1&token={}"}',
        "form in a string": '{"body": "user=bob&password={}"}',
        "header in a string": '{"log": "> Authorization: Bearer {}"}',
        "XML in a string": '{"body": "<login><password>{}</password></login>"}',
        "guarded": ")]}}',\n".replace("}}", "}") + '{"password": "{}"}',
        "callback": 'cb({"password": "{}"})',
        "under a telling name": '{"n": 1, "api": {"a": 1, "key": "{}"}}',
        "under a telling name, behind an object": '{"api": {"a": {"b": 1}, "key": "{}"}}',
        "events": 'event: x\nid: 7\ndata: {"name": "password", "value": "{}"}\n\ndata: [DONE]\n\n',
        "events of text": 'data: {"msg": "token \\"{}\\" has expired"}\n\n',
        "top-level string": json.dumps(json.dumps({"password": "{}"})),
    }
    for title, text in odd.items():
        secret = "8402917364" if title == "number" else LONG
        for made in _both("application/json", text.replace("{}", secret)):
            yield _fill("odd JSON", title, secret, made)
    lines = "\n".join(json.dumps({"n": n, "password": f"{LONG}{n}"}) for n in range(3))
    for made in _both("application/x-ndjson", lines):
        yield _fill("NDJSON", "lines", LONG, made)
    for query in ('mutation { login(user: "bob", password: "{}") { id } }', 'query { me(token: "{}") { id } }'):
        body = json.dumps({"query": query.replace("{}", LONG), "variables": {}})
        yield _fill("GraphQL", query, LONG, exchange(body=body))
        yield _fill("GraphQL", "raw " + query, LONG, exchange(body=query.replace("{}", LONG)))
    variables = {"query": "mutation($password: String!) { login(password: $password) { id } }"}
    body = json.dumps({**variables, "variables": {"password": LONG, "input": {"apiKey": LONG}}})
    yield _fill("GraphQL", "variables", LONG, exchange(body=body))


def _broken() -> Iterator[Planted]:
    document = json.dumps({"a": 1, "user": {"password": LONG, "name": "bob"}, "list": [1, 2, 3], "token": LONG})
    for cut in range(document.index(LONG) + len(LONG), len(document), 9):
        yield _fill("cut JSON", str(cut), LONG, exchange(body=document[:cut], state="cut"))
    yield _fill("cut JSON", "no start", LONG, exchange(body=document[3:], state="cut"))
    yield _fill("cut JSON", "inside", LONG[:20], exchange(body=document[: document.index(LONG) + 20], state="cut"))
    texts = {
        "application/json": (
            "{'password': '{}', 'a': 1}",
            '{password: "{}"}',
            '{"a": 1,} {"password": "{}"}',
            'Error: {"error": "x", "request": {"api_key": "{}"}}',
            'b\'{"password": "{}"}\'',
        ),
        "text/plain": ('{"password": "{}"}', "user=bob&password={}", "<a><password>{}</password></a>"),
        "application/x-www-form-urlencoded": ('{"password": "{}"}', "password={}"),
        "": ('{"client_secret": "{}"}', "grant_type=password&password={}", "<r secret='{}'/>"),
        "image/png": ('{"password": "{}"}',),
    }
    for content_type, templates in texts.items():
        for text in templates:
            for made in _both(content_type, text.replace("{}", LONG)):
                yield _fill("wrong or missing content type", f"{content_type} {text}", LONG, made)
    sound = json.dumps({"password": LONG, "x": "é"}, ensure_ascii=False)
    for charset in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"):
        for made in _both("application/json", sound.encode(charset)):
            yield _fill("charset", charset, LONG, made)
    packed = {"gzip": gzip.compress(sound.encode()), "deflate": zlib.compress(sound.encode())}
    raw = zlib.compressobj(wbits=-15)
    packed["raw deflate"] = raw.compress(sound.encode()) + raw.flush()
    for coding, data in packed.items():
        headers = (("Content-Encoding", coding.rpartition(" ")[2]), ("Content-Type", "application/json"))
        yield _fill("compressed", coding, LONG, exchange(headers=headers, body=data))
        yield _fill("compressed", f"{coding} cut", LONG, exchange(headers=headers, body=data[:-3], state="cut"))
    yield _fill("compressed", "gzip unsaid", LONG, exchange(body=packed["gzip"]))


def _forms() -> Iterator[Planted]:
    for index, name in enumerate((*FIELDS, "key", "code")):
        secret = (WEAK, LONG, WORDY, "two words")[index % 4]
        body = urlencode({"user": "bob", name: secret, "x": "1"})
        for made in _both("application/x-www-form-urlencoded", body):
            yield _fill("form", name, secret, made)
    for body in ("user[password]={}", "payload=" + quote('{"token": "') + "{}" + quote('"}'), "a=1&user.password={}&b"):
        yield _fill("form", body, LONG, exchange(body=body.replace("{}", LONG)))
    for name in ("password", "api_key", "token", "code", "file_secret"):
        for quoted in (f'"{name}"', name):
            part = f"--BOUND\r\nContent-Disposition: form-data; name={quoted}\r\n\r\n{LONG}\r\n"
            body = f'--BOUND\r\nContent-Disposition: form-data; name="user"\r\n\r\nbob\r\n{part}--BOUND--\r\n'
            for content_type in ("multipart/form-data; boundary=BOUND", ""):
                for made in _both(content_type, body):
                    yield _fill("multipart", f"{name} {content_type}", LONG, made)
    inner = f'--B\r\nContent-Disposition: form-data; name="f"; filename="c.json"\r\nContent-Type: application/json\r\n\r\n{{"password": "{LONG}"}}\r\n--B--'  # noqa: E501
    yield _fill(
        "multipart", "file", LONG, exchange(headers=(("Content-Type", "multipart/form-data; boundary=B"),), body=inner)
    )


def _xml() -> Iterator[Planted]:
    texts = (
        "<login><password>{}</password></login>",
        "<?xml version='1.0'?><s:Envelope><wsse:Password Type='x'>{}</wsse:Password></s:Envelope>",
        "<a><apiKey><![CDATA[{}]]></apiKey></a>",
        '<user name="bob" password="{}"/>',
        '<add key="DbPassword" value="{}"/>',
        '<entry name="secret">{}</entry>',
        "<property><name>db.password</name><value>{}</value></property>",
        "<member><name>password</name><value><string>{}</string></value></member>",
        "<credentials><user>bob</user><pass>{}</pass></credentials>",
        '<form><input type="hidden" name="csrf_token" value="{}"></form>',
        '<html><meta name="csrf-token" content="{}"></html>',
        "<dict><key>password</key><string>{}</string></dict>",
        "<body>&lt;password&gt;{}&lt;/password&gt;</body>",
        "<a><password>{}",
        "<a href='https://x.example.com/?a=1&amp;token={}'>x</a>",
        "<connectionStrings><add connectionString='Server=x;Password={};'/></connectionStrings>",
    )
    for text in texts:
        for made in _both("application/xml", text.replace("{}", LONG)):
            yield _fill("XML", text, LONG, made)


def _texts() -> Iterator[Planted]:
    texts = (
        "2024-01-01 INFO login user=bob password={} ok",
        "login user=bob, password={}, ip=10.0.0.1",
        'level=error msg="x" token="{}" n=1',
        "password: {}",
        "config:\n  user: bob\n  password: {}\n  port: 1",
        "DB_PASSWORD={}\nDB_USER=bob",
        "export AWS_SECRET_ACCESS_KEY={}",
        "Authorization: Bearer {}",
        "> X-Api-Key: {}\n> Accept: */*",
        "Cookie: a=1; sid={}",
        "Set-Cookie: sid={}; Path=/",
        "curl -H 'Authorization: Bearer {}' https://x.example.com",
        "curl -u bob:{} https://x.example.com",
        "tool --password {} --verbose",
        "tool --api-key={} run",
        "postgres://bob:{}@db.example.com:5432/app",
        "amqp://bob:{}@mq.example.com",
        "Server=db;User Id=bob;Password={};Encrypt=yes",
        "AccountName=x;AccountKey={};EndpointSuffix=core.windows.net",
        "GET /x?access_token={}&a=1 HTTP/1.1",
        "see https://x.example.com/?sig={}.",
        "{'headers': {'Authorization': 'Bearer {}'}}",
        "User(name='bob', password='{}')",
        "secret => {}",
        '"apiKey" => "{}"',
        "client_secret := {}",
        'msg="{\\"token\\": \\"{}\\"}"',
        "//registry.npmjs.org/:_authToken={}",
        "machine example.com login bob password {}",
        "[auth]\npassword = {}\n",
        "secret: |\n  {}\nport: 1",
        "a: 1\npassword: >-\n    {}\n",
        "cannot parse &lt;password&gt;{}&lt;/password&gt;",
    )
    for text in texts:
        shown = text.replace("{}", LONG)
        yield _fill("text body", text, LONG, exchange(body=shown), named=False)
        yield _fill("error message", text, LONG, exchange(failure=_failure(shown)), named=False)


def _tokens() -> Iterator[Planted]:
    for name, token in TOKENS.items():
        places = {
            "token in a path": exchange(f"https://api.example.com/v1/{token}/x"),
            "token in a parameter": exchange(f"{PLAIN_URL}?q={token}"),
            "token in a reason": exchange(reason=f"bad {token}"),
            "token in an error": exchange(failure=_failure(f"cannot use {token}, sorry")),
            "token in a header": exchange(headers=(("X-Note", f"with {token}"),)),
            "token in Location": exchange(response_headers=(("Location", f"/x/{token}/y"),)),
            "token in JSON": exchange(body=json.dumps({"note": f"see {token}", "list": [token]})),
            "token in a form": exchange(body=urlencode({"note": token})),
            "token in text": exchange(response=f"oops: {token}\nbye".encode()),
            "token in XML": exchange(response=f"<a><b>{token}</b></a>".encode()),
        }
        for kind, made in places.items():
            yield _fill(kind, name, token, made, named=False)
    key = "MIIEowIBAAKCAQEA" + LONG
    for made in (exchange(body=_PEM.format(key)), exchange(response=json.dumps({"pem": _PEM.format(key)}).encode())):
        yield _fill("private key", "PEM", LONG, made, named=False)
    yield _fill("private key", "cut", LONG, exchange(body=_PEM.format(key)[:70], state="cut"), named=False)
    for text in ("bearer {}", "Basic {}=="):
        yield _fill(
            "scheme in text", text, LONG, exchange(response=f"sent {text.format(LONG)} twice".encode()), named=False
        )


def _others() -> Iterator[Planted]:
    for proxy in ("http://bob:{}@proxy.example.com:3128", "bob:{}@proxy.example.com:3128", "socks5://{}@p.example.com"):
        yield _fill("proxy", proxy, WEAK, exchange(proxies=(("https", proxy.format(WEAK)),)))
    message = f"Cannot connect to proxy http://bob:{WEAK}@proxy.example.com:3128"
    yield _fill("proxy", "in an error", WEAK, exchange(failure=_failure(message)))
    made = exchange()._replace(context=(("path", f"/x?token={LONG}"),))
    yield _fill("context", "path", LONG, made)


def planted() -> list[Planted]:
    """Every planted secret."""
    parts = (_headers, _urls, _webhooks, _json, _broken, _forms, _xml, _texts, _tokens, _others)
    return [one for part in parts for one in part()]


_HARMLESS_FIELDS: dict[str, Any] = {
    "sort": {"key": "name"},
    "public": {"key": "MCowBQYDK2VwAyEA"},
    "sign_in_url": "https://example.com/login",
    "author": "Jane Doe",
    "authors": ["Jane Doe"],
    "keyboard": "qwerty",
    "monkey": "george",
    "max_tokens": 4096,
    "token_count": 17,
    "total_tokens": 1234,
    "prompt_tokens": 77,
    "token_type": "Bearer",
    "tokenizer": "cl100k_base",
    "expires_in": 3600,
    "sessions": 12,
    "session_count": 3,
    "session_duration": 55,
    "password_required": "always",
    "passwordless": "supported",
    "password_policy": "eight letters",
    "secretary": "Bob Smith",
    "secretariat": "Geneva",
    "signature_version": "v4",
    "signatory": "Alice Jones",
    "design": "modern",
    "assignee": "carol",
    "authority": "example authority",
    "authenticated_via": "saml",
    "auth_method": "oauth2-pkce",
    "public_key": "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE",
    "primary_key": "order_id",
    "foreign_key": "customer_id",
    "idempotency_key": "order-4711-attempt-2",
    "partition_key": "customer-7",
    "cache_key": "orders:page:2",
    "key": "orders/2024/report.pdf",
    "code": "ERR_NOT_FOUND",
    "status_code": 404,
    "error_code": "E1042",
    "zip_code": "90210",
    "country_code": "DE",
    "keywords": "shoes boots",
    "cookie_policy": "https://example.com/cookies",
    "compass": "north",
    "passenger": "Dora Mills",
    "bypass": "lane two",
    "passport_country": "FR",
    "description": "A signed copy, with the author's key notes",
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "commit": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "cursor": "b3JkZXJzOjQyOmNyZWF0ZWRfYXQ",
    "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E",  # noqa: E501
    "icon": "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    "link": "https://example.com/docs/authentication/tokens?page=2&sort=asc#password-reset",
    "avatar": "https://cdn.example.com/u/3f2a9c1e7b.png?s=200",
    "time": "2024-01-01T00:00:00+00:00",
    "email": "bob@example.com",
    "version": "1.2.3-beta.4+build.5",
    "spotlight": "inside shipping adopt",
    "publishable": "pk_live_51HxYzAbCdEfGhIjKlMnOpQr",
}
_HARMLESS_HEADERS = {
    "X-RateLimit-Remaining-Tokens": "39",
    "X-RateLimit-Tokens": "100",
    "ETag": '"33a64df551425fcc55e4d42a148795d9f25f89d4"',
    "If-None-Match": 'W/"0815"',
    "X-Request-Id": "550e8400-e29b-41d4-a716-446655440000",
    "X-Correlation-Id": "7b2f0f4e6c1d4a5f",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "Idempotency-Key": "order-4711-attempt-2",
    "X-Cache-Key": "orders:page:2",
    "Access-Control-Allow-Headers": "Authorization, X-Api-Key, Cookie",
    "Access-Control-Allow-Credentials": "true",
    "WWW-Authenticate": 'Bearer realm="api.example.com", error="invalid_token", error_description="The token expired"',
    "Vary": "Cookie, Authorization",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",  # noqa: E501
    "Content-Security-Policy": "default-src 'self'; img-src https://cdn.example.com data:",
    "Cache-Control": "public, max-age=31536000",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "X-Author": "Jane Doe",
    "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
    "Location": "https://example.com/orders/550e8400-e29b-41d4-a716-446655440000?page=2",
    "Digest": "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
    "X-Amz-Content-Sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "X-Amz-Date": "20240101T000000Z",
}
_HARMLESS_TEXTS = (
    "The author pressed a key on the keyboard.",
    "SyntaxError: Unexpected token: expected a comma",
    "Invalid token: it has expired",
    "Password must have at least 8 characters",
    "Connection refused: [Errno 111]",
    "HTTPSConnectionPool(host='api.example.com', port=443): Max retries exceeded with url: /v1/orders?page=2",
    "commit da39a3ee5e6b4b0d3255bfef95601890afd80709 by Jane Doe <jane@example.com>",
    "took 15 ms: max_tokens=4096, token_count=17, author=jane",
    "query($password: String!) { login(password: $password) { id } }",
    "see https://example.com/docs/authentication?page=2&lang=de#tokens",
    "monkey=george&keyboard=qwerty&design=modern",
    "page=2&per_page=50&sort=created_at&monkeys=3",
    "<book><author>Jane Doe</author><keywords>secret garden</keywords></book>",
    "Basic authentication is required, bearer authentication preferred",
    "git@github.com:org/repo.git and mailto:bob@example.com",
    "2024-01-01 00:00:00,123 INFO worker-7 status=200 path=/v1/tokens duration=12ms",
)
_HARMLESS_URLS = (
    f"{PLAIN_URL}?page=2&author=jane&max_tokens=100",
    f"{PLAIN_URL}?country_code=DE&zip_code=90210&sort_key=name",
    "https://api.example.com/v1/users/550e8400-e29b-41d4-a716-446655440000/keys",
    "https://api.example.com/repos/o/r/commits/da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "https://api.example.com/v1/password/policy",
    "https://api.example.com/repos/o/r/hooks/12345678",
)


def lookalikes() -> list[Lookalike]:
    """Everything harmless."""
    found = []
    for name, value in _HARMLESS_FIELDS.items():
        text = json.dumps({name: value})
        found.append(Lookalike(f"JSON {name}", text, exchange(body=text)))
        if isinstance(value, str) and name not in ("key", "code"):
            body = urlencode({name: value})
            found.append(Lookalike(f"form {name}", body, exchange(body=body)))
    for name, value in _HARMLESS_HEADERS.items():
        found.append(Lookalike(f"header {name}", value, exchange(headers=((name, value),))))
    for text in _HARMLESS_TEXTS:
        found.append(Lookalike(f"text {text}", text, exchange(body=text)))
        found.append(Lookalike(f"error {text}", text, exchange(failure=_failure(text))))
    for url in _HARMLESS_URLS:
        found.append(Lookalike(f"URL {url}", url.partition("#")[0], exchange(url)))
    return found
