"""Transactions."""

from __future__ import annotations

import asyncio

import pytest

from flowyard.backend.state_store import DeleteState, SetState, StateCapability
from flowyard.errors import EtagMismatch, InvalidRequest, UnsupportedOperation
from flowyard.testing.conformance.state.subject import StateSubject, setting
from flowyard.testing.conformance.subject import requires


class Transacting:
    """All of it, or nothing."""

    @requires(StateCapability.TRANSACTIONAL)
    async def test_a_transaction_sets_and_deletes(self, subject: StateSubject) -> None:
        new, old, gone = (subject.new_key() for _ in range(3))
        await subject.save(old, b"before")
        await subject.save(gone)
        await subject.store.transact(
            [SetState(new, b"\xff\x00"), SetState(old, b"1", is_json=True), DeleteState(gone)]
        )
        assert await subject.data(new) == b"\xff\x00"
        assert await subject.data(old) == b"1"
        assert await subject.store.get(gone) is None

    @requires(StateCapability.TRANSACTIONAL)
    async def test_what_a_transaction_does_to_one_key_is_done_in_order(
        self, subject: StateSubject
    ) -> None:
        set_last, deleted_last = subject.new_key(), subject.new_key()
        await subject.store.transact(
            [
                SetState(set_last, b"1"),
                DeleteState(set_last),
                SetState(set_last, b"2"),
                SetState(deleted_last, b"1"),
                DeleteState(deleted_last),
            ]
        )
        assert await subject.data(set_last) == b"2"
        assert await subject.store.get(deleted_last) is None

    @requires(StateCapability.TRANSACTIONAL)
    async def test_a_transaction_may_be_empty(self, subject: StateSubject) -> None:
        await subject.store.transact([])

    @requires(StateCapability.TRANSACTIONAL)
    async def test_a_transaction_may_be_long(self, subject: StateSubject) -> None:
        keys = [subject.new_key() for _ in range(500)]
        await subject.store.transact([SetState(key, key.encode()) for key in keys])
        found = await subject.store.get_many(keys)
        assert [getattr(value, "data", value) for value in found] == [key.encode() for key in keys]

    @requires(StateCapability.TRANSACTIONAL, StateCapability.ETAG)
    async def test_a_transaction_that_knows_the_versions_is_done(
        self, subject: StateSubject
    ) -> None:
        one, two = subject.new_key(), subject.new_key()
        await subject.save(one, b"1")
        await subject.save(two, b"2")
        etag = await subject.etag(one)
        await subject.store.transact(
            [setting(one, b"3", etag=etag), DeleteState(two, await subject.etag(two))]
        )
        assert await subject.data(one) == b"3"
        assert await subject.etag(one) != etag
        assert await subject.store.get(two) is None

    @requires(StateCapability.TRANSACTIONAL, StateCapability.ETAG)
    @pytest.mark.parametrize("place", [0, 1, 2])
    @pytest.mark.parametrize("verb", ["set", "delete"])
    async def test_one_version_that_is_not_there_undoes_all(
        self, verb: str, place: int, subject: StateSubject
    ) -> None:
        stale, old, new = (subject.new_key() for _ in range(3))
        await subject.save(stale, b"1")
        former = await subject.etag(stale)
        await subject.save(stale, b"2")
        await subject.save(old, b"old")
        before = await subject.store.get_many([stale, old, new])
        operations: list[SetState | DeleteState] = [SetState(new, b"new"), DeleteState(old)]
        refused = (
            DeleteState(stale, former) if verb == "delete" else setting(stale, b"3", etag=former)
        )
        operations.insert(place, refused)
        with pytest.raises(EtagMismatch):
            await subject.store.transact(operations)
        assert await subject.store.get_many([stale, old, new]) == before

    @requires(StateCapability.TRANSACTIONAL, StateCapability.ETAG)
    async def test_a_first_write_that_comes_too_late_undoes_all(
        self, subject: StateSubject
    ) -> None:
        taken, new = subject.new_key(), subject.new_key()
        await subject.save(taken, b"first", is_first=True)
        before = await subject.store.get_many([taken, new])
        with pytest.raises(EtagMismatch):
            await subject.store.transact(
                [SetState(new, b"new"), setting(taken, b"second", is_first=True)]
            )
        assert await subject.store.get_many([taken, new]) == before

    @requires(StateCapability.TRANSACTIONAL, StateCapability.ETAG)
    async def test_a_version_counts_once_in_a_transaction(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key, b"1")
        etag = await subject.etag(key)
        # A store that looks at all versions first may do both; nothing is done in part.
        try:
            await subject.store.transact(
                [setting(key, b"2", etag=etag), setting(key, b"3", etag=etag)]
            )
        except EtagMismatch:
            assert await subject.data(key) == b"1"
            assert await subject.etag(key) == etag
        else:
            assert await subject.data(key) == b"3"

    @requires(StateCapability.TRANSACTIONAL, StateCapability.TTL)
    async def test_one_setting_that_cannot_be_used_undoes_all(self, subject: StateSubject) -> None:
        one, two = subject.new_key(), subject.new_key()
        with pytest.raises(InvalidRequest):
            await subject.store.transact([SetState(one, b"1"), setting(two, b"2", ttl="soon")])
        assert await subject.store.get_many([one, two]) == [None, None]

    @requires(StateCapability.TRANSACTIONAL, StateCapability.ETAG)
    async def test_of_many_transactions_that_know_one_version_one_is_done(
        self, subject: StateSubject
    ) -> None:
        key, other = subject.new_key(), subject.new_key()
        await subject.save(key, b"nobody")
        etag = await subject.etag(key)

        async def claim(number: int) -> None:
            value = str(number).encode()
            await subject.store.transact([SetState(other, value), setting(key, value, etag=etag)])

        ended = await asyncio.gather(*map(claim, range(10)), return_exceptions=True)
        assert all(end is None or isinstance(end, EtagMismatch) for end in ended)
        (winner,) = (number for number, end in enumerate(ended) if end is None)
        assert await subject.data(key) == str(winner).encode()
        assert await subject.data(other) == str(winner).encode()

    async def test_a_transaction_is_refused_exactly_where_it_is_not_declared(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        if StateCapability.TRANSACTIONAL in subject.capabilities:
            await subject.store.transact([SetState(key, b"value")])
            assert await subject.data(key) == b"value"
            return
        with pytest.raises(UnsupportedOperation):
            await subject.store.transact([SetState(key, b"value")])
        assert await subject.store.get(key) is None
