"""Times to live."""

from __future__ import annotations

import pytest

from flowyard.backend.state_store import SetState, StateCapability
from flowyard.errors import InvalidRequest, UnsupportedOperation
from flowyard.testing.conformance.state.subject import StateSubject
from flowyard.testing.conformance.subject import requires


class Expiring:
    """A value goes away when its time has come, and not before."""

    @requires(StateCapability.TTL)
    async def test_a_value_is_there_during_its_time(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key, ttl=1000)
        subject.pass_time(9)
        assert await subject.data(key) == b"value"
        expires_at = (await subject.value(key)).expires_at
        assert expires_at is None or expires_at > subject.clock.time

    @requires(StateCapability.TTL)
    async def test_a_value_goes_away_after_its_time(self, subject: StateSubject) -> None:
        key, staying = subject.new_key(), subject.new_key()
        await subject.save(key, ttl=1)
        await subject.save(staying)
        subject.pass_time(1)
        await subject.is_gone(key)
        assert await subject.store.get_many([key]) == [None]
        assert await subject.data(staying) == b"value"

    @requires(StateCapability.TTL)
    async def test_the_key_of_the_time_to_live_is_compared_without_case(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        await subject.store.set(SetState(key, b"value", metadata={"TTLINSECONDS": "1"}))
        subject.pass_time(1)
        await subject.is_gone(key)

    @requires(StateCapability.TTL)
    @pytest.mark.parametrize("ttl", [1000, 0, -1])
    async def test_another_time_to_live_takes_the_place_of_the_former_one(
        self, ttl: int, subject: StateSubject
    ) -> None:
        key, other = subject.new_key(), subject.new_key()
        await subject.save(key, b"1", ttl=1)
        await subject.save(key, b"2", ttl=ttl)
        await subject.save(other, ttl=1)
        subject.pass_time(2)
        await subject.is_gone(other)
        assert await subject.data(key) == b"2"

    @requires(StateCapability.TTL)
    async def test_a_value_that_has_gone_away_makes_room_for_a_first_write(
        self, subject: StateSubject
    ) -> None:
        key, is_first = subject.new_key(), StateCapability.ETAG in subject.capabilities
        await subject.save(key, b"1", ttl=1, is_first=is_first)
        subject.pass_time(1)
        await subject.is_gone(key)
        await subject.save(key, b"2", is_first=is_first)
        subject.pass_time(5)
        assert await subject.data(key) == b"2"

    @requires(StateCapability.TTL)
    @pytest.mark.parametrize("ttl", ["", "soon", "1.5", "1_000", " 1", "٣", "1" * 30, "9" * 5000])
    async def test_a_time_to_live_that_is_no_number_of_seconds_changes_nothing(
        self, ttl: str, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        await subject.save(key)
        before = await subject.value(key)
        with pytest.raises(InvalidRequest):
            await subject.save(key, b"other", ttl=ttl)
        assert await subject.value(key) == before

    @requires(StateCapability.TTL, StateCapability.TRANSACTIONAL)
    async def test_a_time_to_live_holds_in_a_transaction(self, subject: StateSubject) -> None:
        key, staying = subject.new_key(), subject.new_key()
        metadata = {"ttlInSeconds": "1"}
        await subject.store.transact(
            [SetState(key, b"value", metadata=metadata), SetState(staying, b"value")]
        )
        subject.pass_time(1)
        await subject.is_gone(key)
        assert await subject.data(staying) == b"value"

    async def test_a_time_to_live_is_refused_exactly_where_it_is_not_declared(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        if StateCapability.TTL in subject.capabilities:
            await subject.save(key, ttl=1000)
            assert await subject.data(key) == b"value"
            return
        with pytest.raises(UnsupportedOperation):
            await subject.save(key, ttl=1000)
        assert await subject.store.get(key) is None
