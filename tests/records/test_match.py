"""What a match wants, alone and joined with others, judged by brute force; and what its screen may refuse."""

from __future__ import annotations

import copy
import importlib.machinery
import pickle
import re
import sys
import types

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from curl_interceptor import ConfigurationError, Match
from curl_interceptor.records.exchange import Exchange, RequestFacts, ResponseFacts, failure_of
from curl_interceptor.records.match import Matcher, as_match
from curl_interceptor.records.screen import EVERYTHING, Screen

ERRORS = [None, requests.ConnectTimeout(), requests.ConnectionError(), ValueError()]
STATUSES = [None, 0, 200, 204, 301, 404, 500, 503, 999, 1234]


def exchange(status=None, error=None, elapsed=0.5, method="GET", url="https://a.example/v1/x?q=1") -> Exchange:
    response = None if status is None else ResponseFacts(status, "", ())
    failure = None if error is None else failure_of(error)
    return Exchange(RequestFacts(method, url, ()), response, failure, 0.0, elapsed)


exchanges = st.builds(
    exchange,
    status=st.sampled_from(STATUSES),
    error=st.sampled_from(ERRORS),
    elapsed=st.sampled_from([0.5, 1.0, 1.5, 3.0]),
    method=st.sampled_from(["GET", "POST"]),
    url=st.sampled_from(["https://a.example/v1/x", "https://b.example:8443/health", "http://c.test/"]),
).filter(lambda made: made.response is not None or made.failure is not None)


def yes(record: object) -> bool:
    return True


def is_post(record: Exchange) -> bool:
    return record.request.method == "POST"


def broken(record: object) -> bool:
    raise RuntimeError


conditions = st.fixed_dictionaries(
    {},
    optional={
        "statuses": st.sampled_from(["5xx", 200, "400-499", [404, "2xx"], range(100, 1000)]),
        "errors": st.sampled_from([True, "Timeout", requests.ConnectionError, ["ValueError"]]),
        "slower_than": st.sampled_from([0, 1, 2.0]),
        "methods": st.sampled_from(["POST", "get,post"]),
        "hosts": st.sampled_from(["a.example", "*.example", "b.example:8443"]),
        "include": st.sampled_from(["/v1/*", re.compile("health")]),
        "exclude": st.sampled_from(["/health", "*x"]),
        "sample": st.sampled_from([0, 1]),
        "predicate": st.sampled_from([yes, is_post]),
    },
)
outcomes = st.fixed_dictionaries(
    {},
    optional={
        "statuses": st.sampled_from(["5xx", 200, 404, "2xx"]),
        "errors": st.sampled_from([True, "Timeout"]),
        "slower_than": st.sampled_from([1, 2.0]),
    },
)
matches = (outcomes | conditions).map(lambda given: Match(**given))
expressions = st.recursive(
    matches,
    lambda inner: st.one_of(
        st.tuples(st.just("&"), inner, inner), st.tuples(st.just("|"), inner, inner), st.tuples(st.just("~"), inner)
    ),
    max_leaves=6,
)


def joined(tree) -> Matcher:
    """The expression that a tree stands for."""
    if isinstance(tree, Match):
        return tree
    sign, *parts = tree
    made = [joined(part) for part in parts]
    return ~made[0] if sign == "~" else made[0] & made[1] if sign == "&" else made[0] | made[1]


def wanted(tree, one: Exchange) -> bool:
    """What it wants, by what `and`, `or` and `not` mean."""
    if isinstance(tree, Match):
        return tree.wants(one, lambda predicate: predicate(one))
    sign, *parts = tree
    answers = [wanted(part, one) for part in parts]
    return not answers[0] if sign == "~" else all(answers) if sign == "&" else any(answers)


def passes(screen: Screen, one: Exchange) -> bool:
    """What the caller's thread does: a body that breaks is seen where errors pass."""
    if one.response is None:
        return screen.passes_failure(one.elapsed)
    return screen.passes(one.response.status, one.elapsed) or (one.failure is not None and screen.errors)


# -- the algebra ------------------------------------------------------------------------------------------------------


@given(expressions, exchanges)
def test_an_expression_wants_what_its_signs_mean(tree, one):
    """
    `&`, `|` and `~` are and, or and not, whatever stands below them.
    """
    assert joined(tree).wants(one, lambda predicate: predicate(one)) == wanted(tree, one)


EVERY_OUTCOME = [
    exchange(status, error, elapsed)
    for status in STATUSES
    for error in ERRORS
    for elapsed in (0.5, 1.5, 3.0)
    if status is not None or error is not None
]


@example(("&", Match(statuses=200), Match(errors=True)))  # a fine response whose body breaks
@given(expressions)
def test_no_screen_refuses_what_may_be_wanted(tree):
    """
    What the caller's thread lets go by is wanted by nobody, whatever predicates and chance may say.
    """
    match = joined(tree)
    screen = match.screen()
    for one in EVERY_OUTCOME:
        if not passes(screen, one):
            assert not any((wanted(tree, one), match.wants(one), match.wants(one, sampled=False))), one


@given(expressions, exchanges)
def test_without_its_predicates_a_match_says_what_may_be_wanted(tree, one):
    """
    What is wanted may be wanted.
    """
    if wanted(tree, one):
        assert joined(tree).wants(one)


@given(expressions, exchanges, st.data())
def test_each_predicate_is_asked_last_and_only_if_it_decides(tree, one, data):
    """
    If no answer can change the outcome, none is asked for; and an answer that nobody knows is no yes.
    """
    asked = []
    match = joined(tree)

    def ask(predicate):
        asked.append(predicate)
        return data.draw(st.booleans())

    match.wants(one, ask)
    by_answer = {match.wants(one, lambda predicate: True), match.wants(one, lambda predicate: False)}
    unknown = match.wants(one, lambda predicate: None)
    if len(by_answer) == 2:
        assert asked
        assert not unknown
    if unknown:
        assert not asked


@given(expressions)
def test_an_expression_can_be_copied_compared_and_shown(tree):
    """
    Pickled, copied or shown and read again it is equal to itself, and equals have one hash.
    """
    match = joined(tree)
    for other in (pickle.loads(pickle.dumps(match)), copy.deepcopy(match), joined(tree)):
        assert other == match
        assert hash(other) == hash(match)
    names = {"Match": Match, "re": re, "range": range}
    if "predicate" not in repr(match) and "<class" not in repr(match):
        assert eval(repr(match), names) == match


@pytest.mark.parametrize(
    ("match", "screen"),
    [
        (Match(), Screen(frozenset(range(400, 600)), errors=True)),
        (Match() & Match(statuses="5xx"), Screen(frozenset(range(500, 600)))),
        (Match(statuses="5xx") | Match(slower_than=2), Screen(frozenset(range(500, 600)), slower_than=2)),
        (Match() & ~Match(hosts="x"), Match().screen()),
        (Match(slower_than=2) & ~Match(hosts="x"), Screen(slower_than=2)),
        (~Match(statuses="200-999", errors=True), Screen(frozenset(range(100, 200)), others=True)),
        (~Match(statuses="2xx"), Screen(frozenset(range(100, 1000)) - set(range(200, 300)), errors=True, others=True)),
        (~~Match(statuses="5xx"), Screen(frozenset(range(500, 600)))),
        (~(Match(statuses="2xx") | Match(hosts="x")), (~Match(statuses="2xx")).screen()),
        (Match(predicate=yes), EVERYTHING),
        (Match(predicate=yes, statuses=404), Screen(frozenset([404]))),
        (Match(predicate=yes) & Match(statuses=404), Screen(frozenset([404]))),
    ],
    ids=lambda value: repr(value)[:70] if isinstance(value, Matcher) else "",
)
def test_a_screen_stays_narrow_where_it_can(match, screen):
    """
    What callers pay for is no more than what the expression leaves open.
    """
    assert match.screen() == screen


def test_the_complement_of_failures_of_a_host_is_all_the_rest():
    """
    `~` denies the whole match; failures but not those of a host are said with `&`.
    """
    here = exchange(503, url="https://a.example/")
    there, fine = exchange(503, url="https://b.example/"), exchange(200)
    of_a = Match(hosts="a.example")

    assert [(~of_a).wants(one) for one in (here, there, fine)] == [False, True, True]
    assert [(Match() & ~of_a).wants(one) for one in (here, there, fine)] == [False, True, False]


def test_a_match_that_stands_twice_in_an_expression_is_one():
    """
    Chance and predicates are asked once for all places of it.
    """
    rare = Match(sample=0.5)
    assert all((rare | ~rare).wants(exchange(503)) for _ in range(50))
    assert not any((rare & ~rare).wants(exchange(503)) for _ in range(50))


def test_chance_takes_nothing_away_from_what_is_critical():
    """
    Neither a share that is wanted nor a share that is not wanted is left to chance.
    """
    thinned = Match() & ~Match(hosts="a.example", sample=0.99)
    assert all(thinned.wants(exchange(503), sampled=False) for _ in range(50))
    assert sum(thinned.wants(exchange(503)) for _ in range(200)) < 50
    assert not (Match() & ~Match(hosts="a.example", sample=1.0)).wants(exchange(503), sampled=False)


def test_a_predicate_that_raises_spoils_no_other_way_to_be_wanted():
    """
    Its answer is unknown: neither it nor its opposite is wanted, and an alternative may decide.
    """

    def ask(predicate):
        try:
            return predicate(None)
        except RuntimeError:
            return None

    bad, fine = Match(predicate=broken), exchange(200)
    assert not bad.wants(fine, ask)
    assert not (~bad).wants(fine, ask)
    assert (bad | Match(predicate=yes)).wants(fine, ask)
    assert not (bad & Match(predicate=yes)).wants(fine, ask)


# -- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Match(statuses="5xx"), Match(statuses=range(500, 600))),
        (Match(), Match(statuses="400-599", errors=True)),
        (Match(methods="get,POST"), Match(methods=["POST", "GET"])),
        (Match(hosts="A.example"), Match(hosts=["a.example"])),
        (Match(errors=ValueError), Match(errors="builtins.ValueError")),
        (Match(include="/v1/*"), Match(include=["/v1/*"])),
        (~(Match() & Match(hosts="x")), ~Match() | ~Match(hosts="x")),
        ((Match() & Match(hosts="x")) & Match(hosts="y"), Match() & (Match(hosts="x") & Match(hosts="y"))),
    ],
)
def test_matches_that_mean_the_same_are_equal(one, other):
    """
    However their conditions were written.
    """
    assert one == other
    assert hash(one) == hash(other)


def test_matches_that_mean_something_else_are_not_equal():
    """
    Every condition counts, predicates by identity.
    """
    different = [
        Match(),
        Match(statuses="5xx"),
        Match(errors=True),
        Match(slower_than=1),
        Match(methods="GET"),
        Match(hosts="x"),
        Match(include="/x"),
        Match(exclude="/x"),
        Match(sample=0.5),
        Match(predicate=yes),
        Match(predicate=is_post),
        Match(predicate=yes, statuses="400-599", errors=True),
        ~Match(),
        Match() & Match(hosts="x"),
        Match() | Match(hosts="x"),
    ]
    assert all(one != other for place, one in enumerate(different) for other in different[:place])


def test_a_match_shows_what_it_was_given():
    """
    Only that, and with the parentheses that it needs.
    """
    a, b, c = Match(statuses="5xx"), Match(hosts="x"), Match()
    assert repr(~a & (b | c) | c) == "~Match(statuses='5xx') & (Match(hosts='x') | Match()) | Match()"


@pytest.mark.parametrize(
    "mistake", [lambda a, b: a and b, lambda a, b: a or b, lambda a, b: not a], ids=["and", "or", "not"]
)
def test_the_words_and_or_not_are_refused(mistake):
    """
    Python would give back one of the two and forget the other.
    """
    with pytest.raises(TypeError, match="a & b"):
        mistake(Match(), Match(hosts="x"))


@pytest.mark.parametrize("other", [True, None, "5xx", Match, 3])
def test_a_match_is_joined_with_matches_only(other):
    """
    Anything else is a mistake at the line where it stands.
    """
    with pytest.raises(TypeError):
        Match() & other
    with pytest.raises(TypeError):
        other | Match()


def test_expressions_are_long_but_not_deep():
    """
    A thousand alternatives are fine; what would meet Python's own bound is refused when it is written.
    """
    long = Match(hosts="h0")
    for number in range(1_000):
        long |= Match(hosts=f"h{number}")
    assert long.wants(exchange(500, url="http://h999/"))
    deep = Match()
    for _ in range(49):
        deep = (deep & Match()) | Match()
    assert deep.wants(exchange(500))
    with pytest.raises(ConfigurationError, match="fewer steps"):
        (deep & Match() | Match()) & Match()


class Mine:
    """A match of somebody else's."""

    def wants(self, record):
        return record.request.method == "POST"


def test_a_match_of_somebody_elses_opens_the_screen():
    """
    An object with a method `wants(record)` is asked about everything, alone and in expressions.
    """
    mine = as_match("match", Mine())
    assert mine.screen() == EVERYTHING
    for match in (mine, Mine() & Match(statuses=200), Match(statuses=200) & Mine()):
        assert match.wants(exchange(200, method="POST"), lambda wants: wants(exchange(200, method="POST")))
        assert not match.wants(exchange(200), lambda wants: wants(exchange(200)))
    assert (Match(statuses=200) & Mine()).screen() == Match(statuses=200).screen()


@pytest.mark.parametrize("value", [Match, Mine, "5xx", 3, lambda record: True], ids=repr)
def test_what_is_no_match_is_refused(value):
    """
    The message says what would be one.
    """
    with pytest.raises(ConfigurationError, match="say match=Match"):
        as_match("match", value)


class Refused(Exception):
    """An exception of the app's own."""


@pytest.mark.parametrize("name", ["Timeout", "ReadTimeoutError", "OSError", "Refused", "myapp.errors.Later"])
def test_a_name_may_be_that_of_any_exception_there_is(name):
    """
    requests', urllib3's, Python's and the app's own; one that is not imported yet by its whole path.
    """
    assert Match(errors=name) == Match(errors=[name])


@pytest.mark.parametrize(
    ("errors", "meant"),
    [
        ("Timeot", "Timeout"),
        (["Timeout", "ConectionError"], "ConnectionError"),
        ("IOError", "OSError"),
        ("str", None),
        ("requests.Timeot", "Timeout"),
        ("requests.exceptions.ConectTimeout", "ConnectTimeout"),
        ("requests.get", None),
        ("builtins.str", None),
    ],
)
def test_a_name_that_no_exception_has_is_refused(errors, meant):
    """
    It would never want anything; the message says what may have been meant, and how to name a class of one's own.
    """
    with pytest.raises(ConfigurationError, match=r"no exception has.*whole path") as caught:
        Match(errors=errors)
    assert meant is None or f"did you mean '{meant}'?" in str(caught.value)


@pytest.mark.parametrize("path", ["requests.Timeout", "requests.exceptions.Timeout", "requests.adapters.ReadTimeout"])
def test_a_path_may_be_the_one_from_which_an_exception_is_imported(path):
    """
    People name a class as they import it, and not as the module that defines it.
    """
    wanted = exchange(error=requests.ReadTimeout())

    assert Match(errors=path).wants(wanted)
    assert not Match(errors=path).wants(exchange(error=requests.exceptions.InvalidURL()))


def test_a_path_into_what_is_not_all_there_yet_is_believed(monkeypatch):
    """
    A module that is being imported, or that finds its names late, may have the class one day.
    """
    begun, late = types.ModuleType("begun"), types.ModuleType("late")
    begun.__spec__ = importlib.machinery.ModuleSpec("begun", None)
    begun.__spec__._initializing = True
    late.__getattr__ = lambda name: None
    monkeypatch.setitem(sys.modules, "begun", begun)
    monkeypatch.setitem(sys.modules, "late", late)

    paths = ["begun.Refused", "late.Refused", "requests.later.Refused"]
    assert Match(errors=paths) == Match(errors=paths[::-1])
