"""
Which names hide their values: the default set, and how a name is compared with it.

A name is split into words (camelCase, `_`, `-`, `.`, `[]`) and compared word by word with the ends of secret names, so
that `author`, `keyboard`, `max_tokens` and `token_count` are none.
"""

from __future__ import annotations

import json
from functools import lru_cache
from urllib.parse import quote

from ..patterns import lazy

__all__ = ["ENDINGS", "EXACT", "IN_URLS", "PUBLIC", "counts", "ends_secret", "foreign", "stems", "words"]

_BOUNDARY = lazy(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DIGITS = "0123456789"


def _sequences(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(phrase.split()) for line in text.strip().splitlines() for phrase in line.split(","))


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENDINGS = _sequences(
    """
    authorization, authentication, auth, bearer, cookie, set cookie, credential, cred
    token, secret, secret id, signature, sig, hmac, jwt, assertion, saml response, psk
    password, passwd, pass word, passphrase, pass phrase, passcode, pass code, pwd, pswd, passwort, kennwort, senha
    contrasena, contraseña, motdepasse, mot de passe, wachtwoord, пароль, 密码
    session, session id, sess, sess id, sessid, csrf, xsrf, otp, totp, pin, cvv, cvc, ssn, card number, cardnumber
    api key, app key, application key, access key, access key id, account key, private key, secret key, auth key
    subscription key, encryption key, decryption key, signing key, signature key, master key, shared key, service key
    server key, consumer key, license key, licence key, ssh key, client key, webhook key, session key, storage key
    deploy key, functions key, function key, integration key, write key, admin key, customer key, symmetric key
    hmac key, host key, merchant key, transaction key, pre shared key, preshared key, gpg key, activation key
    registration key, user key, developer key, instrumentation key, sas key, primary master key, ingest key
    accesskeyid, awsaccesskeyid, authkey, privkey, psswd, connect sid
    auth code, authorization code, code verifier, device code, verification code, otp code, mfa code, totp code
    two factor code, 2fa code, security code, sms code, one time code, one time password, recovery code, backup code
    stripe key, sendgrid key, mailgun key, openai key, anthropic key, twilio key, google key, maps key, firebase key
    algolia key, datadog key, newrelic key, pusher key, aws key, azure key, github key, slack key, shopify key, cert key
    fastly key, insert key, j frog art api, jfrog art api, honeycomb team, api sign, access sign, bapi sign, ok sign
    mnemonic, seed phrase, recovery phrase, secret phrase, client assertion, security answer
    user pass, db pass, smtp pass, ftp pass, mail pass, email pass, mysql pass, pg pass, redis pass, root pass
    admin pass, proxy pass, http pass, login pass, database pass, auth pass
    """
)
"""A name that ends with one of these is secret."""

EXACT = _sequences("pass, pw, sid, crumb")
"""A name that is one of these is secret."""

IN_URLS = _sequences("key, code, sign, access, ticket, hash key")
"""Secret in a query and in a form only: in JSON and elsewhere a bare `key` or `code` is harmless nearly always."""

PUBLIC = _sequences("page token, next token, continuation token, pagination token, sync token, cancel token, key pins")
"""A name that ends with one of these is none: it says where a list goes on, or what is public, and opens nothing."""

# What a name may go on with after the secret word. `token_type` and `token_count` are not among them.
_QUALIFIERS = _listed(
    """
    value val values hash hashed digest confirmation confirm confirmed repeat repeated again verify verification
    retype new old current previous next plain plaintext clear cleartext raw encrypted enc encoded base64 b64 hex
    string text header input field param parameter env base material pem der str bytes binary data jwt id sha sha1
    sha256 sha512 md5 v primary secondary
    """
)
# Written without a boundary, and the ending that each stands for; no English word ends with one of them.
_GLUED: dict[str, tuple[str, ...]] = {
    "token": ("token",),
    "password": ("password",),
    "passwd": ("passwd",),
    "passphrase": ("passphrase",),
    "secret": ("secret",),
    "apikey": ("api", "key"),
    "secretkey": ("secret", "key"),
    "accesskey": ("access", "key"),
    "privatekey": ("private", "key"),
    "sessionid": ("session", "id"),
    "sessid": ("sess", "id"),
}
# Qualifiers that mean something else behind these: `token_id` and `key_id` name a thing, `session_data` holds it.
_NAMED_BY_ID = frozenset(["token", "secret", "signature", "credential", "authorization", "key", "cookie", "auth"])
# Too common to be searched for; the word before them will do.
_GENERAL = frozenset(["api", "art", "team", "id", "word", "number", "response", "answer", "phrase", "verifier", "hash"])
_PLURALS = {"keys": "key", "passes": "pass", "cookies": "cookie", "sigs": "sig", "codes": "code", "creds": "cred"}


@lru_cache(maxsize=4_096)
def words(name: str) -> tuple[str, ...]:
    """Split a name into its words, in lower case; the digits at the end of a word do not count."""
    found = []
    for word in _BOUNDARY.split(name[-200:]):
        bare = word.lower().rstrip(_DIGITS)
        found.append(bare or word)
    return tuple(word for word in found if word)


def _singular(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    return word[:-1] if word.endswith("s") and word[:-1] in _SINGULARS else word


_SINGULARS = frozenset(ending[-1] for ending in ENDINGS)


def counts(name: str) -> bool:
    """Whether the name is a plural such as `max_tokens`, under which a number is a count and no secret."""
    parts = words(name)
    return bool(parts) and parts[-1] != _singular(parts[-1])


def ends_secret(parts: tuple[str, ...], endings: frozenset[tuple[str, ...]]) -> bool:
    """Whether a name, as words, ends with one of the endings, or goes on after it with what does not matter."""
    if parts[-2:] in PUBLIC:
        return False
    while parts:
        last = _singular(parts[-1])
        whole = (*parts[:-1], last)
        if whole in EXACT or any(whole[start:] in endings for start in range(max(0, len(whole) - 4), len(whole))):
            return True
        if any(last.endswith(glued) and ending in endings for glued, ending in _GLUED.items()):
            return True
        if parts[-1] not in _QUALIFIERS and not parts[-1].isdigit():
            return False
        if parts[-1] == "id" and (len(parts) < 2 or parts[-2] in _NAMED_BY_ID):
            return False
        parts = parts[:-1]
    return False


def stems(endings: frozenset[tuple[str, ...]]) -> tuple[str, ...]:
    """Return few texts of which at least one stands, in lower case, in every name that ends with one of the endings."""
    telling = {next((word for word in reversed(ending) if word not in _GENERAL), ending[-1]) for ending in endings}
    least = {word for word in telling if not any(other != word and other in word for other in telling)}
    return tuple(sorted(least))


def foreign(stems: tuple[str, ...]) -> tuple[str, ...]:
    """Return how the stems that are not ASCII may be written, in lower case: as they are, and as JSON and URLs do."""
    cased = {form for stem in stems if not stem.isascii() for form in (stem, stem.upper(), stem.capitalize())}
    written = {text.lower() for form in cased for text in (form, json.dumps(form)[1:-1], quote(form))}
    return tuple(sorted(written))
