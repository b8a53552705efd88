"""ETags: each version of a value has one, and a write can ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from flowyard.backend.state_store import StateCapability, StateValue
from flowyard.errors import EtagMismatch, InvalidEtag, UnsupportedOperation
from flowyard.testing.conformance.state.subject import StateSubject, setting
from flowyard.testing.conformance.subject import requires

FOREIGN = {
    "number": "999999",
    "negative": "-1",
    "name": "nobody's",
    "accent": "é",
    "quote": "'",
    "blank": " ",
    "asterisk": "*",
    "fraction": "1.0",
    "long": "e" * 1000,
    "huge": "99999999999999999999999999",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
_REFUSALS = (EtagMismatch, InvalidEtag)


class Versions:
    """Nobody overwrites what he has not read, if he asks for that."""

    @requires(StateCapability.ETAG)
    async def test_every_write_gives_a_value_another_etag(self, subject: StateSubject) -> None:
        key, etags = subject.new_key(), set()
        for _ in range(3):
            await subject.save(key, b"the same")
            etags.add(await subject.etag(key))
        assert len(etags) == 3

    @requires(StateCapability.ETAG)
    async def test_reading_leaves_the_etag_alone(self, subject: StateSubject) -> None:
        key, other = subject.new_key(), subject.new_key()
        await subject.save(key)
        etag = await subject.etag(key)
        await subject.save(other)
        assert await subject.etag(key) == etag
        (found,) = await subject.store.get_many([key])
        assert isinstance(found, StateValue)
        assert found.etag == etag

    @requires(StateCapability.ETAG)
    async def test_a_write_that_knows_the_version_is_done(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key, b"1")
        for value in (b"2", b"3"):
            await subject.save(key, value, etag=await subject.etag(key))
            assert await subject.data(key) == value

    @requires(StateCapability.ETAG)
    async def test_a_write_that_knows_a_former_version_changes_nothing(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        await subject.save(key, b"1")
        former = await subject.etag(key)
        await subject.save(key, b"2")
        before = await subject.value(key)
        with pytest.raises(EtagMismatch):
            await subject.save(key, b"3", etag=former)
        assert await subject.value(key) == before

    @requires(StateCapability.ETAG)
    async def test_a_deletion_that_knows_the_version_is_done(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key)
        await subject.delete(key, await subject.etag(key))
        assert await subject.store.get(key) is None

    @requires(StateCapability.ETAG)
    async def test_a_deletion_that_knows_a_former_version_changes_nothing(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        await subject.save(key, b"1")
        former = await subject.etag(key)
        await subject.save(key, b"2")
        before = await subject.value(key)
        with pytest.raises(EtagMismatch):
            await subject.delete(key, former)
        assert await subject.value(key) == before

    @requires(StateCapability.ETAG)
    @pytest.mark.parametrize("etag", FOREIGN.values(), ids=FOREIGN)
    async def test_an_etag_that_was_never_given_changes_nothing(
        self, etag: str, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        await subject.save(key)
        before = await subject.value(key)
        with pytest.raises(_REFUSALS):
            await subject.save(key, b"other", etag=etag)
        with pytest.raises(_REFUSALS):
            await subject.delete(key, etag)
        assert await subject.value(key) == before

    @requires(StateCapability.ETAG)
    async def test_an_empty_etag_is_none(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key, b"1", etag="")
        await subject.save(key, b"2", etag="")
        assert await subject.data(key) == b"2"
        await subject.delete(key, "")
        assert await subject.store.get(key) is None

    @requires(StateCapability.ETAG)
    async def test_of_many_who_know_one_version_one_writes(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key, b"nobody")
        etag = await subject.etag(key)
        winner = await _winner(
            [subject.save(key, str(number).encode(), etag=etag) for number in range(10)]
        )
        assert await subject.data(key) == str(winner).encode()

    @requires(StateCapability.ETAG)
    async def test_a_write_and_a_deletion_that_know_one_version_do_not_both_happen(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        await subject.save(key, b"old")
        etag = await subject.etag(key)
        # The store may take a deletion of what is gone already for done, and so may the write be
        # of a key that is free: that the other one has won shows in the value.
        ended = await asyncio.gather(
            subject.delete(key, etag), subject.save(key, b"new", etag=etag), return_exceptions=True
        )
        assert all(end is None or isinstance(end, EtagMismatch) for end in ended)
        deleted, written = (end is None for end in ended)
        assert deleted or written
        assert await subject.data(key) == (b"new" if written else None)

    @requires(StateCapability.ETAG)
    async def test_the_first_write_is_not_overwritten_by_another_first_write(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        await subject.save(key, b"first", is_first=True)
        before = await subject.value(key)
        with pytest.raises(EtagMismatch):
            await subject.save(key, b"second", is_first=True)
        assert await subject.value(key) == before
        await subject.save(key, b"third", is_first=True, etag=before.etag)
        assert await subject.data(key) == b"third"

    @requires(StateCapability.ETAG)
    async def test_of_many_first_writes_one_is_the_first(self, subject: StateSubject) -> None:
        key = subject.new_key()
        winner = await _winner(
            [subject.save(key, str(number).encode(), is_first=True) for number in range(10)]
        )
        assert await subject.data(key) == str(winner).encode()

    @requires(StateCapability.ETAG)
    async def test_there_can_be_a_first_write_after_a_deletion(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key, b"first", is_first=True)
        await subject.delete(key)
        await subject.save(key, b"first again", is_first=True)
        assert await subject.data(key) == b"first again"

    async def test_an_etag_is_refused_exactly_where_it_is_not_declared(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        await subject.save(key)
        if StateCapability.ETAG in subject.capabilities:
            await subject.save(key, b"other", etag=await subject.etag(key))
            return
        assert (await subject.value(key)).etag is None
        before = await subject.value(key)
        for refused in (
            subject.store.set(setting(key, b"other", etag="1")),
            subject.store.set(setting(key, b"other", is_first=True)),
            subject.delete(key, "1"),
        ):
            with pytest.raises(UnsupportedOperation):
                await refused
        assert await subject.value(key) == before


async def _winner(writes: list[Awaitable[None]]) -> int:
    """Return the number of the one write that was done."""
    ended = await asyncio.gather(*writes, return_exceptions=True)
    assert all(end is None or isinstance(end, EtagMismatch) for end in ended)
    (winner,) = (number for number, end in enumerate(ended) if end is None)
    return winner
