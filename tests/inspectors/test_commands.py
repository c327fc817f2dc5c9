"""Commands copied out of messages, run by real shells: they send what the app sent, or nothing at all."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from random import Random

import pytest
from support.corpus import GROUPS, case, judge, perform
from support.services import service
from support.shells import SHELLS, Room
from support.wire import WireServer

from curl_interceptor.inspectors.message import Room as Space
from curl_interceptor.inspectors.message import describe, fit
from curl_interceptor.inspectors.registry import names

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")

BACKTICKS = [
    case("fences in a line", "POST", data="a```b````c`````'```"),
    case("fences in lines", "POST", data="```sh\ntouch pwned\n```\n"),
    case("fences and bytes", "POST", data=b"```\x00\xff```%s\\```"),
    case("fences in a header", headers={"X-Fence": "```'``'```"}),
    case("fences in the URL", path="/```?q=```"),
    case("fences in a form", "POST", data={"a": "```", "```": "'"}),
]
# What services read as mentions or links, in code as well.
CALLS = [
    case("markup of Slack", "POST", data="<!here> it's <@U1> <https://example.com|x> \\<a b='c|d'>$%$"),
    case("markup of Slack in lines", "POST", data="<!all>\n'<a|b>'\t%<!channel>"),
    case("markup of Slack in the URL", path="/?a=<!here>&b=<a|b>"),
    case("markup of Slack in a header", headers={"Link": "<https://example.com|x>; rel='next'"}),
    case("names", "POST", data="@all @here it's >@all \\ @all\\'@here' '@all"),
    case("names in lines", "POST", data="@all\n@here '\t@all\x00 @here"),
    case("names in a header", headers={"X-To": "@all @here '@all"}),
]
_PIECES = ["<", "<", "|", ">", "@", "@", "\\", "'", " ", "a", "!here>", "%", "`", '"', "$"]
CALLS += [
    case(f"puzzle {seed}", "POST", data="".join(Random(seed).choices([*_PIECES, *ends], k=300)))
    for seed, ends in enumerate(["", "", "\n", "\t\n"])
]
CASES = [*GROUPS["bodies"], *GROUPS["tricks"][::4], *BACKTICKS, *CALLS]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="module")
def sent() -> Iterator[dict]:
    """The cases as an app sent them, each to a server of its own."""
    with contextlib.ExitStack() as servers:
        found = {}
        for one in CASES:
            server = servers.enter_context(WireServer())
            found[one.name] = perform(one, server), server
        yield found


@pytest.mark.parametrize("name", names())
def test_a_command_out_of_a_message_sends_what_the_app_sent(name, room, sent):
    """
    Copied from the message, or from the file attached to it, real curl puts the same bytes on the wire.
    """
    inspector = service(name).make()
    commands = {}
    for title, (one, _) in sent.items():
        (payload,) = inspector.payloads([one.record])
        (commands[title],) = service(name).commands(payload)
    # One that was cut is an error of syntax, at which a script ends.
    runnable = {title: command for title, command in commands.items() if "not runnable" not in command}
    room.run_in_any_order("bash", list(runnable.values()))

    verdicts = {title: judge(*sent[title]) for title in runnable}
    assert len(verdicts) > len(CASES) / 2
    assert not {title: str(verdict) for title, verdict in verdicts.items() if not verdict}
    assert room.is_untouched()


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_reads_a_command_that_was_made_fit_for_a_code_block(shell, room, sent):
    """
    Breaking up three backticks changes nothing for any shell.
    """
    records = {one.name: sent[one.name] for one in BACKTICKS}
    room.run(shell, [describe(one.record).command for one, _ in records.values()])

    verdicts = {title: judge(*pair) for title, pair in records.items()}
    assert not {title: str(verdict) for title, verdict in verdicts.items() if not verdict}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", ["mattermost", "rocketchat", "console"])
def test_every_shell_reads_a_command_that_says_something_in_other_words(name, shell, room, sent):
    """
    What keeps a service from reading a command changes nothing for any shell, nor do breaks between options.
    """
    records = {one.name: sent[one.name] for one in CALLS}
    commands = []
    for one, _ in records.values():
        (payload,) = service(name).make().payloads([one.record])
        commands += service(name).commands(payload)
    room.run_in_any_order(shell, commands)

    verdicts = {title: judge(*pair) for title, pair in records.items()}
    assert not {title: str(verdict) for title, verdict in verdicts.items() if not verdict}
    assert room.is_untouched()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("space", [150, 350, 600, 1_500])
def test_a_command_that_was_cut_sends_nothing(shell, space, room):
    """
    Pasted by mistake, a command without its body or some headers is an error of syntax; nothing goes out.
    """
    long = [
        case("long body", "POST", data="x'y" * 3_000),
        case("long piped body", "POST", data="`id`\n$(touch pwned)\n" * 900),
        case("long headers", "DELETE", headers={f"X-{number}": "$(touch pwned)'\"`" * 9 for number in range(99)}),
        case("long URL", "DELETE", path="/?" + "a=$(touch pwned)';" * 900),
        case("unfit and long", "POST", data="x" * 9_000, headers={"X Y": "z"}),
    ]
    for one in long:
        with WireServer() as server:
            record = perform(one, server).record
            fitted = fit(describe(record), Space(total=2 * space + 200))
            room.run(shell, [fitted.command])

            assert fitted.whole == describe(record).command
            assert "not runnable" in fitted.command
            assert server.take_all() == []
    assert room.is_untouched()
