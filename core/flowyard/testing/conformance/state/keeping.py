"""Getting, setting and deleting, which every state store can do."""

from __future__ import annotations

import asyncio

from flowyard.testing.conformance.state.subject import StateSubject


class Keeping:
    """A value is there from its setting to its deletion, under its own key alone."""

    async def test_a_value_is_read_as_it_was_set(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key, b"as it was")
        assert await subject.data(key) == b"as it was"

    async def test_a_key_that_was_never_set_has_no_value(self, subject: StateSubject) -> None:
        assert await subject.store.get(subject.new_key()) is None

    async def test_a_later_value_replaces_an_earlier_one(self, subject: StateSubject) -> None:
        key = subject.new_key()
        for value in (b"a longer one", b"second", b"3"):
            await subject.save(key, value)
            assert await subject.data(key) == value

    async def test_a_deleted_value_is_gone(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key)
        await subject.delete(key)
        assert await subject.store.get(key) is None

    async def test_deleting_what_is_not_there_is_no_error(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.delete(key)
        await subject.delete(key, "")

    async def test_a_key_can_be_set_again_after_its_value_was_deleted(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        await subject.save(key, b"first")
        await subject.delete(key)
        await subject.save(key, b"second")
        assert await subject.data(key) == b"second"

    async def test_keys_that_resemble_each_other_are_told_apart(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        tails = ("", "a", "A", "a ", " a", "a||b", "a|", "a*", "a_", "a%", "a/b", "a/../a", "ab")
        for tail in tails:
            await subject.save(key + tail, tail.encode() or b"none")
        for tail in tails:
            assert await subject.data(key + tail) == (tail.encode() or b"none")
        await subject.delete(key + "a")
        assert await subject.data(key + "A") == b"A"
        assert await subject.data(key + "a*") == b"a*"

    async def test_several_values_come_in_the_order_of_their_keys(
        self, subject: StateSubject
    ) -> None:
        one, two, missing = (subject.new_key() for _ in range(3))
        await subject.save(one, b"1")
        await subject.save(two, b"2")
        keys = [two, missing, one, two]
        found = await subject.store.get_many(keys)
        assert found == [await subject.store.get(key) for key in keys]
        assert await subject.store.get_many([]) == []

    async def test_many_values_may_be_read_a_few_at_a_time(self, subject: StateSubject) -> None:
        keys = [subject.new_key() for _ in range(20)]
        for number, key in enumerate(keys):
            await subject.save(key, str(number).encode())
        found = await subject.store.get_many(keys, parallelism=2)
        assert found == [await subject.store.get(key) for key in keys]

    async def test_many_may_write_at_the_same_time(self, subject: StateSubject) -> None:
        keys = [subject.new_key() for _ in range(50)]
        await asyncio.gather(*(subject.save(key, key.encode()) for key in keys))
        for key in keys:
            assert await subject.data(key) == key.encode()

    async def test_of_many_who_write_one_key_at_the_same_time_one_is_the_last(
        self, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        values = [f"value {number}".encode() * number for number in range(1, 21)]
        await asyncio.gather(*(subject.save(key, value) for value in values))
        assert await subject.data(key) in values
