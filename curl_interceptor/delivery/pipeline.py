"""
Everything behind the queue, as a user sees it: a pipeline that begins by itself, survives a fork, and has an ending.

The beginning: no thread before the first exchange. The fork: a child starts empty, with locks of its own. The end: one
`atexit` hook for all pipelines of the process, with a deadline.
"""

from __future__ import annotations

import atexit
import os
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from os import getpid
from time import monotonic
from typing import Any, TypeVar

from .. import recording
from ..errors import ConfigurationError
from ..inspectors.options import nearest
from ..observe.calls import Calls
from ..observe.source import process
from ..observe.stats import InspectorStats, Stats
from ..policies import PipelinePolicy, check_number, shown
from ..records.notice import RawNotice
from . import endings, guard
from .announcement import Addressees, Announcement, SendsNotices
from .claims import ClaimBook, Claims
from .destination import Destination, Route
from .dispatcher import EVERYBODY, PATIENCE, Dispatcher
from .guard import in_delivery
from .router import Draft
from .transport import forget_after_fork

__all__ = ["Pipeline", "default_pipeline"]

_T = TypeVar("_T")

_LAST_MOMENT = 0.25  # seconds before the deadline of an ending, for the fallbacks of what will not be delivered
_pipelines: weakref.WeakSet[Pipeline] = weakref.WeakSet()
_default: Pipeline | None = None
_none: Pipeline | None = None


class Off:
    """Inspectors of an adapter that are switched off, counted for as long as the adapter lives.

    Parameters
    ----------
    count: How many.
    pipeline: Where the adapter's records would go; None means the process's own, which need not exist yet.
    """

    __slots__ = ("__weakref__", "count", "pipeline")

    def __init__(self, count: int, pipeline: Pipeline | None) -> None:
        self.count = count
        self.pipeline = pipeline
        _off[id(self)] = self


_off: weakref.WeakValueDictionary[int, Off] = weakref.WeakValueDictionary()


class Pipeline(SendsNotices):
    """Takes exchanges and notices, and delivers them in the background.

    A process has one unless you make another; whoever makes one closes it. Give it to adapters as `pipeline=`.

    Parameters
    ----------
    queue_size:
        Most exchanges that wait, 1 to 10,000,000. Default 10,000.
    queue_bytes:
        Most memory they may hold, headers and overhead included, in bytes from 10,000. Default 32 MB.
    overflow:
        What is dropped when it is full: `"newest"` (the default) or `"oldest"`.
    workers:
        Most threads that deliver at the same time, 1 to 1,000. They are started on demand and go when idle. It should
        reach the number of webhooks. Default 32.
    exit_timeout:
        Most seconds that the end of the process may take for deliveries, 0 to 3,600. Default 2 s.
    linger:
        Seconds that an exchange waits for company before the background thread takes it, 0 to 10. Waking a thread is
        the dearest part of capturing. Default 0.03 s.

    Raises
    ------
    ConfigurationError
        If a number is impossible.
    """

    def __init__(
        self,
        *,
        queue_size: int = PipelinePolicy.queue_size,
        queue_bytes: int = PipelinePolicy.queue_bytes,
        overflow: str = PipelinePolicy.overflow,
        workers: int = PipelinePolicy.workers,
        exit_timeout: float = PipelinePolicy.exit_timeout,
        linger: float = PipelinePolicy.linger,
    ) -> None:
        self.policy = PipelinePolicy(queue_size, queue_bytes, overflow, workers, exit_timeout, linger)
        self._claims = ClaimBook()
        self._closed = False
        self.calls = Calls()
        """The app's calls, wanted or not."""
        self._paused: frozenset[str] = frozenset()
        self._dispatcher = Dispatcher(self.policy, outcomes=self.calls.outcomes)
        self._heirs = {self._dispatcher.pid: self._dispatcher}
        _pipelines.add(self)

    def __repr__(self) -> str:
        return f"<Pipeline {'closed' if self._closed else 'open'}, {self.policy!r}>"

    @property
    def closed(self) -> bool:
        """Whether it takes nothing any more."""
        return self._closed

    # -- used by adapters ---------------------------------------------------------------------------------------------

    def register(self, route: Route, claims: Claims | None = None) -> Claims:
        """Take note of an adapter's destinations; the first one of an address decides about its lane.

        Parameters
        ----------
        route: Where the adapter sends exchanges from now on.
        claims: What it claimed before, which is taken back.

        Returns
        -------
        Claims
            To be kept as long as the adapter lives: when the last one of an address has gone, other policies may come.

        Raises
        ------
        ConfigurationError
            If one wants other policies for an address than another adapter; then nothing has changed.
        """
        claims = Claims() if claims is None else claims
        dispatcher, destinations = self._current(), route.everywhere
        with dispatcher.lock:
            self._claims.exchange(claims, route)
        for destination in destinations:
            if destination.making is not None:
                # Weakly: the lane that waits for the inspector must not keep what an adapter wanted.
                destination.making.admit = partial(self._admit, weakref.ref(claims))
        dispatcher.ask(lambda: dispatcher.lanes.adopt(destinations))
        return claims

    def _admit(self, claims: weakref.ref[Claims], made: Destination) -> None:
        """Take note of a destination that a factory made; raises as `register` does."""
        with self._current().lock:
            self._claims.add(claims() or Claims(), (made, *made.inner))

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Where the adapters send that exist at the moment. For the dispatcher, which takes the lock."""
        with self._current().lock:
            return self._claims.destinations

    def announce(self, raw: RawNotice, to: tuple[str, ...] = (), addressees: Addressees | None = None) -> bool:
        """Take a notice, or refuse and count it; never waits.

        Parameters
        ----------
        raw: What was handed over.
        to: Labels of those who are to have it; empty for all.
        addressees: Where it goes. Default: to all destinations of all adapters.
        """
        dispatcher = self._current()
        if in_delivery():  # whatever sends while it delivers would never come to an end
            dispatcher.troubles.counts["notice_in_delivery"] += 1
            return False
        announcement = Announcement(raw, to, recording.current)
        taken = dispatcher.queue.offer((announcement, addressees or self), raw.size)
        if dispatcher.thread is None:
            self._start(dispatcher)
        return taken

    def _announce_notice(self, raw: RawNotice, to: tuple[str, ...]) -> bool:
        return self.announce(raw, to)

    def _count_unsent_notice(self) -> None:
        self._current().troubles.counts["notice"] += 1

    def sink(self, route: Route) -> PipelineSink:
        """Return the way into this pipeline for an adapter's exchanges."""
        return PipelineSink(self, route)

    def _start(self, dispatcher: Dispatcher) -> None:
        if self._closed:
            return
        _live.add(dispatcher)
        dispatcher.start()
        endings.arrange(_at_exit)

    # -- used by people -----------------------------------------------------------------------------------------------

    def flush(self, timeout: float = 5.0) -> bool:
        """Deliver at once what waits, and wait for it.

        It fills no batch, but it breaks no `Retry-After`, backoff or open breaker: what those hold back is left, and
        the answer is False.

        Parameters
        ----------
        timeout: Most seconds to wait, 0 to 3,600. Default 5 s.

        Returns
        -------
        bool
            Whether nothing is left.
        """
        check_number("timeout", timeout, minimum=0, maximum=3_600, unit="seconds")
        dispatcher = self._current()
        token = object()
        dispatcher.hurry.append(token)
        dispatcher.wake()
        try:
            return _wait([dispatcher], time.monotonic() + timeout)
        finally:
            dispatcher.hurry.remove(token)

    def close(self, timeout: float | None = None) -> bool:
        """Deliver what waits, against a deadline, and end: threads and connections go, later exchanges are refused.

        Parameters
        ----------
        timeout: Most seconds, 0 to 3,600. Default None: `exit_timeout`.

        Returns
        -------
        bool
            Whether everything went out; what did not is counted as dropped.
        """
        if timeout is None:
            timeout = self.policy.exit_timeout
        check_number("timeout", timeout, minimum=0, maximum=3_600, unit="seconds")
        dispatcher = self._current()
        if not self._closed:
            self._closed = True
            complete = _end([dispatcher], timeout, exiting=False)
            _live.discard(dispatcher)
            return complete
        _wait([dispatcher], time.monotonic() + timeout)  # somebody else is at it
        return dispatcher.end() if dispatcher.ended else False

    def pause(self, label: str | None = None) -> None:
        """Send nothing until `resume`: what comes is captured and waits, within its bounds.

        An attempt that has begun is not cut. A pause outlasts `flush`, `close` and the end of the process: what waits
        then is dropped and counted, and fallbacks that are callables take it. A forked child inherits it.

        Parameters
        ----------
        label: The destination, as `stats` names it. Default: all of them.

        Raises
        ------
        ConfigurationError
            If no destination has this label.
        """
        known = self._known(label)
        self._pause(lambda paused: paused | {known})

    def resume(self, label: str | None = None) -> None:
        """Go on sending, to one destination or to all that were paused; see `pause`."""
        known = self._known(label)
        self._pause(lambda paused: frozenset() if label is None else paused - {known})

    @property
    def paused(self) -> bool:
        """Whether nothing is sent at the moment, to any destination."""
        return EVERYBODY in self._paused

    def reset(self, label: str | None = None) -> None:
        """Try at once what a breaker, an endpoint that refused everything, or a failing factory holds back.

        For whoever has mended a webhook and does not want to wait for the next trial. A time that the service itself
        named (`Retry-After`) is kept. It is carried out in the background, a moment later.

        Parameters
        ----------
        label: The destination, as `stats` names it. Default: all of them.

        Raises
        ------
        ConfigurationError
            If no destination has this label.
        """
        known, dispatcher = self._known(label), self._current()
        dispatcher.reset(known or None)

    def configure(self, **numbers: Any) -> None:
        """Change numbers of this pipeline while it runs: the keywords of `Pipeline`.

        What waits stays, also where it is more than a new bound allows.

        Raises
        ------
        ConfigurationError
            If a number is impossible; then nothing has changed.
        TypeError
            If a keyword is unknown.
        """
        for name in numbers:
            if name not in PipelinePolicy.__dataclass_fields__:
                known = frozenset(PipelinePolicy.__dataclass_fields__)
                raise TypeError(f"Pipeline.configure got an unknown keyword {name!r}{nearest(name, known)}")
        dispatcher = self._current()
        with dispatcher.lock:
            self.policy = replace(self.policy, **numbers)
            dispatcher.govern(self.policy)

    def _pause(self, change: Callable[[frozenset[str]], frozenset[str]]) -> None:
        dispatcher = self._current()
        with dispatcher.lock:  # another thread may pause another destination at this moment
            self._paused = dispatcher.paused = change(self._paused)
        dispatcher.wake()

    def _known(self, label: str | None) -> str:
        """Return the label if some destination has it."""
        if label is None:
            return EVERYBODY
        if not isinstance(label, str):
            raise ConfigurationError(f"label must be the label of an inspector, as a text, got {shown(label)}")
        dispatcher = self._current()
        with dispatcher.lock:
            labels = self._claims.labels | dispatcher.lanes.labels
        if label not in labels:
            hint = nearest(label, frozenset(labels)) if labels else ""
            raise ConfigurationError(f"label: no inspector has the one that was given{hint}")
        return label

    def stats(self) -> Stats:
        """Return the figures of this moment. They are frozen; `as_dict()` makes JSON of them."""
        dispatcher = self._current()
        stats = dispatcher.stats()
        with dispatcher.lock:
            claimed = self._claims.initialized
        known = {one.label for one in stats.inspectors}
        unwanted = (InspectorStats(label, initialized=made) for label, made in sorted(claimed.items()))
        return replace(
            stats,
            inspectors=(*stats.inspectors, *(one for one in unwanted if one.label not in known)),
            hosts=self.calls.stats(),
            off=_count_off(self),
        )

    def _current(self) -> Dispatcher:
        dispatcher = self._dispatcher
        return dispatcher if dispatcher.pid == os.getpid() else self._begin_anew()

    def _begin_anew(self) -> Dispatcher:
        """This is a forked child: nothing of the parent's is used, closed or waited for.

        Where no fork hook ran, several threads may come here at once; they agree without a lock, which the parent might
        have held.
        """
        heir = Dispatcher(self.policy, self._paused, self.calls.outcomes)
        heir.ended = heir.queue.closed = self._closed
        chosen = self._heirs.setdefault(heir.pid, heir)
        if chosen is heir:
            self.calls.forget()
            old, self._dispatcher = self._dispatcher, heir
            self._heirs = {heir.pid: heir}
            old.forget()
            _inherited.append(old)
        return chosen


class PipelineSink:
    """The pipeline as an adapter's capture sees it. The caller waits for these methods, so they never do.

    Parameters
    ----------
    pipeline: Where exchanges go.
    route: Where they go from there.
    """

    __slots__ = ("_pipeline", "_route", "called")

    def __init__(self, pipeline: Pipeline, route: Route) -> None:
        self._pipeline = pipeline
        self.called = pipeline.calls.note
        """Count a call, wanted or not."""
        self._route = route

    def offer(self, draft: Draft, size: int) -> bool:
        """Take an exchange, or refuse and count it. `size` is its approximate memory in bytes."""
        dispatcher = self._pipeline._dispatcher
        if dispatcher.pid != getpid():
            dispatcher = self._pipeline._begin_anew()
        dispatcher.open.pop(draft, None)
        taken = dispatcher.queue.offer((draft, self._route), size)
        if dispatcher.thread is None:
            self._pipeline._start(dispatcher)
        return taken

    def watch(self, draft: Draft) -> None:
        """Remember a wanted exchange whose body the app still reads."""
        dispatcher = self._pipeline._dispatcher
        if dispatcher.pid != getpid():  # Python 3.13 dies of waking the parent's, where no fork hook ran
            dispatcher = self._pipeline._begin_anew()
        # Without the lock: the dispatcher looks again once it has said that it sleeps; one of the two sees the other.
        dispatcher.open[draft] = monotonic() + PATIENCE
        if dispatcher.queue.asleep:
            dispatcher.queue.wake()
        if dispatcher.thread is None:
            self._pipeline._start(dispatcher)

    def trouble(self) -> None:
        """Count a call that could not be captured; without the lock, so that one may be missed.

        The dispatcher tells of it: this may be a finaliser, where `logging` would wait for its own lock.
        """
        dispatcher = self._pipeline._current()
        dispatcher.troubles.counts["capture"] += 1
        if dispatcher.thread is None:
            self._pipeline._start(dispatcher)


_live: set[Dispatcher] = set()
"""What has taken something and has not ended: the end of the process waits for these."""

_inherited: list[Dispatcher] = []
"""The parent's, in a forked child: kept, so that no finaliser of theirs ever runs here."""


def default_pipeline(**numbers: Any) -> Pipeline:
    """Return the process's pipeline; the first call makes it, with these numbers.

    Raises
    ------
    ConfigurationError
        If it exists already with other numbers.
    """
    global _default
    if _default is None or _default.closed:
        _default = Pipeline(**numbers)
    for name, value in numbers.items():
        has = getattr(_default.policy, name)
        if has != value:
            raise ConfigurationError(
                f"{name} is {has!r} for the pipeline of this process, which exists already; "
                f"give this adapter one of its own: pipeline=Pipeline({name}={value!r})"
            )
    return _default


class _Unmade:
    """The process's pipeline before it is needed; it is not made for its figures."""

    def stats(self) -> Stats:
        return Stats(off=_count_off(None))


def _process_source() -> Pipeline | _Unmade:
    return _Unmade() if _default is None else _default


def _count_off(pipeline: Pipeline | None) -> int:
    whose = (pipeline, None) if pipeline is _default else (pipeline,)
    return sum(off.count for off in _living(_off) if off.pipeline in whose)


def _living(known: weakref.WeakValueDictionary[Any, _T]) -> list[_T]:
    """Return what still lives; unlike a look at the values, no adapter that is made meanwhile disturbs it."""
    return [found for found in (reference() for reference in known.valuerefs()) if found is not None]


def no_pipeline() -> Pipeline:
    """Return the pipeline of adapters that capture nothing: closed, and with empty books."""
    global _none
    if _none is None:
        _none = Pipeline()
        _none._closed = True
        _none._dispatcher.end()
    return _none


def pipelines() -> list[Pipeline]:
    """Return every pipeline that exists."""
    return list(_pipelines)


# -- the end of a process ---------------------------------------------------------------------------------------------


def _wait(dispatchers: list[Dispatcher], deadline: float) -> bool:
    """Wait until nothing is left anywhere, doing the work that no other thread does; False if it was not in time.

    It looks every few milliseconds instead of waiting for an event: an event's lock would hold a signal handler that
    waits inside of this wait for ever.
    """
    while not all(dispatcher.quiet for dispatcher in dispatchers):
        left = deadline - time.monotonic()
        if left <= 0 or in_delivery():
            return False
        held_up = [dispatcher.held_up for dispatcher in dispatchers]
        if any(held_up) and all(held or each.quiet for held, each in zip(held_up, dispatchers, strict=True)):
            return False  # nobody but who paused it can do anything about it
        helped = [dispatcher.help(left / len(dispatchers)) for dispatcher in dispatchers]
        if not any(helped):
            time.sleep(min(0.002, left))
    return True


def _end(dispatchers: list[Dispatcher], timeout: float, *, exiting: bool) -> bool:
    """End these together: one deadline for all."""
    deadline = time.monotonic() + timeout
    for dispatcher in dispatchers:
        dispatcher.drain(deadline, exiting=exiting)
    try:
        if not _wait(dispatchers, deadline - min(_LAST_MOMENT, timeout / 4)):
            for dispatcher in dispatchers:
                dispatcher.hopeless = dispatcher.relays
                dispatcher.wake()
            _wait(dispatchers, deadline)
    finally:
        complete = [dispatcher.end() for dispatcher in dispatchers]
    return all(complete)


def _at_exit(most: float | None = None) -> None:
    """The one hook: deliver what the webhooks take before the deadline, and never a word on stderr.

    `most` are the seconds that the process has left, where they may be fewer than `exit_timeout`.
    """
    guard.exiting = True
    pid = os.getpid()
    dispatchers = [dispatcher for dispatcher in list(_live) if dispatcher.pid == pid]
    _live.clear()
    if not dispatchers:
        return
    for dispatcher in dispatchers:
        dispatcher.troubles.silent = True
    timeout = max(dispatcher.policy.exit_timeout for dispatcher in dispatchers)
    try:
        _end(dispatchers, timeout if most is None else min(most, timeout), exiting=True)
    except (KeyboardInterrupt, SystemExit):
        return  # somebody is in a hurry


def _after_fork_in_child() -> None:
    guard.forget_after_fork()
    forget_after_fork()
    _live.clear()
    for pipeline in list(_pipelines):
        pipeline._begin_anew()


process.source = _process_source
atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
