"""A store that is closed and opened again, or opened twice."""

from __future__ import annotations

import asyncio

import pytest

from flowyard.backend.component import Capability
from flowyard.backend.state_store import DeleteState, SetState, StateCapability
from flowyard.errors import EtagMismatch
from flowyard.testing.conformance.state.subject import OpenState
from flowyard.testing.conformance.subject import lasting, requires


class Reopening:
    """What was acknowledged outlives the component, unless it says that nothing does."""

    @requires(Capability.VOLATILE)
    async def test_what_says_that_it_is_volatile_is(self, open_state: OpenState) -> None:
        async with open_state() as first:
            key = first.new_key()
            await first.save(key)
        async with open_state() as second:
            assert await second.store.get(key) is None

    @lasting()
    async def test_a_value_outlives_the_component(self, open_state: OpenState) -> None:
        async with open_state() as first:
            binary, text = first.new_key(), first.new_key()
            await first.save(binary, b"\xff\x00")
            await first.store.set(SetState(text, b'{"n":1.0}', is_json=True))
            before = await first.store.get_many([binary, text])
        async with open_state() as second:
            assert await second.store.get_many([binary, text]) == before
            assert await second.data(binary) == b"\xff\x00"

    @lasting()
    async def test_a_deletion_outlives_the_component(self, open_state: OpenState) -> None:
        async with open_state() as first:
            key = first.new_key()
            await first.save(key)
            await first.delete(key)
        async with open_state() as second:
            assert await second.store.get(key) is None

    @requires(StateCapability.ETAG)
    @lasting()
    async def test_a_version_is_known_after_the_component_was_opened_again(
        self, open_state: OpenState
    ) -> None:
        async with open_state() as first:
            key = first.new_key()
            await first.save(key, b"1")
            former = await first.etag(key)
            await first.save(key, b"2", is_first=True, etag=former)
            etag = await first.etag(key)
        async with open_state() as second:
            with pytest.raises(EtagMismatch):
                await second.save(key, b"3", etag=former)
            with pytest.raises(EtagMismatch):
                await second.save(key, b"3", is_first=True)
            await second.save(key, b"3", etag=etag)
            assert await second.data(key) == b"3"

    @requires(StateCapability.TRANSACTIONAL)
    @lasting()
    async def test_a_transaction_outlives_the_component(self, open_state: OpenState) -> None:
        async with open_state() as first:
            one, two = first.new_key(), first.new_key()
            await first.save(two)
            await first.store.transact([SetState(one, b"1"), DeleteState(two)])
        async with open_state() as second:
            assert await second.data(one) == b"1"
            assert await second.store.get(two) is None

    @requires(StateCapability.TTL)
    @lasting()
    async def test_a_value_goes_away_though_the_component_was_closed_meanwhile(
        self, open_state: OpenState
    ) -> None:
        async with open_state() as first:
            key = first.new_key()
            await first.save(key, ttl=1)
            first.pass_time(1)
        async with open_state() as second:
            await second.is_gone(key)

    @requires(Capability.SHARED)
    async def test_a_store_that_is_open_twice_is_one(self, open_state: OpenState) -> None:
        async with open_state() as first, open_state() as second:
            key = first.new_key()
            await first.save(key, b"1")
            assert await second.value(key) == await first.value(key)
            await second.delete(key)
            assert await first.store.get(key) is None

    @requires(Capability.SHARED, StateCapability.ETAG)
    async def test_of_many_who_know_one_version_through_two_components_one_writes(
        self, open_state: OpenState
    ) -> None:
        async with open_state() as first, open_state() as second:
            key = first.new_key()
            await first.save(key, b"nobody")
            etag = await first.etag(key)
            ended = await asyncio.gather(
                *(
                    who.save(key, str(number).encode(), etag=etag)
                    for number, who in enumerate([first, second] * 5)
                ),
                return_exceptions=True,
            )
            assert all(end is None or isinstance(end, EtagMismatch) for end in ended)
            (winner,) = (number for number, end in enumerate(ended) if end is None)
            assert await first.data(key) == str(winner).encode()
