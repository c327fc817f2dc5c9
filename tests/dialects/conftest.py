"""A room for shells, and the corpus as it was sent, once for all modules of this folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from support.corpus import CORPUS, Sent, perform
from support.shells import Room
from support.wire import WireServer


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="session")
def server() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


@pytest.fixture(scope="session")
def corpus() -> Iterator[dict[str, tuple[Sent, WireServer]]]:
    """Every case with a server of its own, so that a request that goes astray cannot be taken for another's."""
    with contextlib.ExitStack() as servers:
        sent = {}
        for one in CORPUS:
            server = servers.enter_context(WireServer())
            sent[one.name] = perform(one, server), server
        yield sent
