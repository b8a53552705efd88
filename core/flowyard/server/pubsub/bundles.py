"""Events that wait for each other, so that the application gets them in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from flowyard.config.subscriptions import BulkOptions
from flowyard.server.app_channel import AppAway
from flowyard.server.pubsub.delivery import Answer, BulkRecipient, Parcel


class _Bundle:
    """Events of one path and one topic, each with the answer that is waited for."""

    def __init__(self) -> None:
        self.parcels: list[Parcel] = []
        self.full = asyncio.Event()
        self._answers: list[asyncio.Future[Answer]] = []

    def add(self, parcel: Parcel) -> asyncio.Future[Answer]:
        """Add an event, and return its answer to come."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.parcels.append(parcel)
        self._answers.append(answer)
        return answer

    def waiting(self) -> list[Parcel]:
        """Leave out what nobody waits for any more, and return the rest."""
        both = zip(self.parcels, self._answers, strict=True)
        left = [(parcel, answer) for parcel, answer in both if not answer.done()]
        self.parcels, self._answers = [one for one, _ in left], [answer for _, answer in left]
        return self.parcels

    def answer(self, answers: Sequence[Answer]) -> None:
        """Give each event its answer."""
        for future, answer in zip(self._answers, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    def fail(self, error: AppAway | None) -> None:
        """End it: the application is away, or what has come of the call is not known."""
        for future in self._answers:
            if future.done():
                continue
            if error is None:
                future.set_result(Answer.RETRY)
            else:
                future.set_exception(error)


class Bundles:
    """Takes events one by one, and hands them over together.

    Whoever brings the first event of a bundle hands all of it over, once it is full or has waited
    long enough. So nothing goes on after the subscription has ended.

    Args:
        app: Who takes them.
        options: How many go together, and how long they wait.
    """

    def __init__(self, app: BulkRecipient, options: BulkOptions) -> None:
        self._app = app
        self._most = options.most
        self._longest = options.longest_ms / 1000
        self._open: dict[tuple[str, str], _Bundle] = {}

    async def deliver(self, parcel: Parcel) -> Answer:
        """Hand an event over with others, and return what becomes of it."""
        key = parcel.path, parcel.topic
        bundle = self._open.get(key)
        is_first = bundle is None
        if bundle is None:
            bundle = self._open[key] = _Bundle()
        answer = bundle.add(parcel)
        if len(bundle.parcels) >= self._most:
            bundle.full.set()
            del self._open[key]
        if is_first:
            await self._hand_over(key, bundle)
        return await answer

    def flush(self) -> None:
        """Hand over at once what waits for more."""
        for bundle in self._open.values():
            bundle.full.set()

    async def returned(self) -> None:
        """Return once the application is there again."""
        await self._app.returned()

    async def _hand_over(self, key: tuple[str, str], bundle: _Bundle) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._longest):
                    await bundle.full.wait()
            self._close(key, bundle)
            bundle.answer(await self._app.deliver_all(bundle.waiting()))
        except AppAway as error:
            bundle.fail(error)
        finally:
            self._close(key, bundle)
            bundle.fail(None)

    def _close(self, key: tuple[str, str], bundle: _Bundle) -> None:
        if self._open.get(key) is bundle:
            del self._open[key]
