"""What keys and values may be made of."""

from __future__ import annotations

import pytest

from flowyard.backend.state_store import SetState
from flowyard.testing.conformance.state.subject import StateSubject

JSON_TEXTS = (
    '{"b":1,"a":2,"a ":3}',
    "1.000000000000000000001",
    "12345678901234567890123",
    "1e2",
    "-0.0",
    '"\\u00e9 \\ud83d\\ude80 <&>"',
    '"é 🚀 <&>"',
    "null",
    "[ 1,\t2 ]",
    '"text"',
)
KEYS = {
    "cyrillic": "ключ",
    "emoji": "🚀",
    "combining": "e\u0301 is not é",
    "blanks": "a key with blanks",
    "dots": "../../etc/passwd",
    "punctuation": "a\\b:c?d=e&f#g",
    "percent": "%00%2e%2e",
    "sql": "'; DROP TABLE state; --",
    "braces": "{braces}",
    "asterisk": "*",
    "lines": "line\nbreak\ttab",
    "nul": "\x00 nothing",
    "long": "k" * 1000,
}


class Carrying:
    """Keys and values arrive as they were sent, whatever they are made of."""

    async def test_a_value_may_have_a_megabyte(self, subject: StateSubject) -> None:
        key, value = subject.new_key(), bytes(range(256)) * 4096
        await subject.save(key, value)
        assert await subject.data(key) == value

    async def test_a_value_may_have_every_byte(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key, bytes(range(256)))
        assert await subject.data(key) == bytes(range(256))

    async def test_a_value_may_be_empty(self, subject: StateSubject) -> None:
        key = subject.new_key()
        await subject.save(key, b"")
        assert (await subject.value(key)).data == b""

    @pytest.mark.parametrize("text", JSON_TEXTS)
    async def test_json_stays_the_text_that_was_sent(
        self, text: str, subject: StateSubject
    ) -> None:
        key = subject.new_key()
        await subject.store.set(SetState(key, text.encode(), is_json=True))
        assert await subject.data(key) == text.encode()

    async def test_a_key_may_have_json_and_then_bytes(self, subject: StateSubject) -> None:
        key = subject.new_key()
        for value, is_json in ((b'{"n":1}', True), (b"\xff\x00", False), (b'"text"', True)):
            await subject.store.set(SetState(key, value, is_json=is_json))
            assert await subject.data(key) == value

    @pytest.mark.parametrize("tail", KEYS.values(), ids=KEYS)
    async def test_a_key_may_be_any_text(self, tail: str, subject: StateSubject) -> None:
        key = f"{subject.new_key()}{tail}"
        await subject.save(key, b"under it")
        assert await subject.data(key) == b"under it"
        assert [await subject.value(key)] == await subject.store.get_many([key])
        await subject.delete(key)
        assert await subject.store.get(key) is None
