"""`bindings.postgresql` on a real server (docs/protocol.md §17)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from blocks.bindings.opening import opened
from flowyard.backend import (
    BackendUnavailable,
    BindingFailed,
    BindingRequest,
    ConfigurationError,
    InvalidRequest,
)
from flowyard.config import ComponentSpec
from flowyard.testing.conformance import BindingConformance
from flowyard_blocks.bindings.connection_string import read_connection_string

_CREATE = "create table orders (orderid integer, customer text, price numeric(8, 2))"
_INSERT = "insert into orders (orderid, customer, price) values ($1, $2, $3)"


@pytest.fixture
def table(postgres: str) -> Iterator[str]:
    """The URI of a server that has the table of the quickstart."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(_CREATE)
        yield postgres
        connection.execute("drop table orders")


class TestConformance(BindingConformance):
    @pytest.fixture(params=["bindings.postgresql", "bindings.postgres"])
    def component_spec(self, request: pytest.FixtureRequest, table: str) -> ComponentSpec:
        return ComponentSpec(name="sqldb", type=request.param, metadata={"url": table})

    @pytest.fixture
    def good_request(self) -> BindingRequest:
        params = {"sql": _INSERT, "params": '[1, "John Smith", 100.32]'}
        return BindingRequest("exec", metadata=params)

    @pytest.fixture
    def bad_request(self) -> BindingRequest:
        return BindingRequest("query", metadata={"sql": "select * from nothing"})


async def test_statements_are_executed_and_queried(table: str) -> None:
    async with opened("postgres", url=table) as database:
        metadata = {"sql": _INSERT, "params": '[1, "John Smith", 100.32]'}
        answer = await database.invoke("exec", b"", metadata)
        assert answer.data == b""
        told = dict(answer.metadata)
        assert (told["operation"], told["sql"], told["rows-affected"]) == ("exec", _INSERT, "1")
        assert told["duration"].endswith("ms")
        assert datetime.fromisoformat(told["start-time"]) <= datetime.fromisoformat(
            told["end-time"]
        )
        plain = "insert into orders values (2, 'Jane Bond', 15.4), (3, 'Tony James', 35.56)"
        assert (await database.invoke("exec", b"", {"sql": plain})).metadata["rows-affected"] == "2"
        query = {"sql": "select * from orders where orderid = any($1) order by orderid"}
        answer = await database.invoke("query", b"", {**query, "params": "[[1, 2]]"})
        assert answer.data == b'[[1,"John Smith",100.32],[2,"Jane Bond",15.40]]'
        assert "rows-affected" not in answer.metadata
        nothing = {"sql": "select * from orders where false"}
        assert (await database.invoke("query", b"", nothing)).data == b"[]"


@pytest.mark.parametrize(
    ("sql", "params", "shown"),
    [
        ("select $1::bigint", "[9007199254740993]", "9007199254740993"),
        ("select $1::numeric", "[0.1234567890123456789]", "0.1234567890123456789"),
        ("select $1::float8", "[1.5]", "1.5"),
        ("select $1::text", '["it\'s \\"tea\\""]', '"it\'s \\"tea\\""'),
        ("select $1::text", "[null]", "null"),
        ("select $1::boolean", "[true]", "true"),
        ("select $1::jsonb", '[{"b": [1.50, "x", null, true]}]', '{"b": [1.50, "x", null, true]}'),
        ("select $1::json", '[{"a":  9007199254740993}]', '{"a":9007199254740993}'),
        ("select $1::int[]", "[[1, null, 3]]", "[1,null,3]"),
        (
            "select $1::text[]",
            '[["a,b", "\\\\\\"", "{}", "NULL"]]',
            '["a,b","\\\\\\"","{}","NULL"]',
        ),
        ("select $1::int[]", "[[[1, 2], [3, 4]]]", "[[1,2],[3,4]]"),
        ("select $1::jsonb[]", '[[{"a": 1}]]', '[{"a": 1}]'),
        ("select $1::timestamptz", '["2020-09-24T06:13:46.5+02:00"]', '"2020-09-24T04:13:46.5Z"'),
        ("select $1::timestamp", '["2020-09-24T04:13:46"]', '"2020-09-24T04:13:46Z"'),
        ("select $1::date", '["2020-09-24"]', '"2020-09-24T00:00:00Z"'),
        (
            "select $1::uuid",
            '["b0d38481-5547-411e-ae7b-255761cce17a"]',
            '"b0d38481-5547-411e-ae7b-255761cce17a"',
        ),
        ("select $1::bytea", '["\\\\x00ff"]', '"AP8="'),
        ("select 'NaN'::numeric", "", '"NaN"'),
    ],
)
async def test_values_are_those_of_json(postgres: str, sql: str, params: str, shown: str) -> None:
    async with opened("postgresql", url=postgres) as database:
        answer = await database.invoke("query", b"", {"sql": sql, "params": params})
    found = (answer.data or b"").decode()
    assert json.loads(found) == json.loads(f"[[{shown}]]")
    # Numbers have the text that they have there.
    assert found.replace(" ", "") == f"[[{shown}]]".replace(" ", "")


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({}, "required metadata not set: sql"),
        ({"sql": "select '\0'"}, "NUL"),
        ({"sql": "select 1", "params": "{"}, "'params' is no JSON"),
        ({"sql": "select 1", "params": "{}"}, "'params' is no JSON array"),
    ],
)
async def test_a_request_that_cannot_be_used_is_refused(
    postgres: str, metadata: dict[str, str], text: str
) -> None:
    async with opened("postgresql", url=postgres) as database:
        with pytest.raises(InvalidRequest, match=text):
            await database.invoke("exec", b"", metadata)


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("selec", "syntax error"),
        ("select 1; drop table orders", "cannot insert multiple commands"),
        ("select $1::int", "1"),
    ],
)
async def test_a_statement_that_fails_is_an_error(table: str, sql: str, text: str) -> None:
    async with opened("postgresql", url=table) as database:
        with pytest.raises(BindingFailed, match=text):
            await database.invoke("query", b"", {"sql": sql})
        assert (await database.invoke("query", b"", {"sql": "table orders"})).data == b"[]"


async def test_a_transaction_ends_with_the_call_that_begins_it(table: str) -> None:
    async with opened("postgresql", url=table, maxConns="1") as database:
        await database.invoke("exec", b"", {"sql": "begin"})
        insert = {"sql": "insert into orders (orderid) values (1)"}
        await database.invoke("exec", b"", insert)
    with psycopg.connect(table) as connection:
        assert connection.execute("select count(*) from orders").fetchone() == (1,)


async def test_a_connection_that_broke_is_made_again(postgres: str) -> None:
    async with opened("postgresql", url=postgres, maxConns="1") as database:
        own = {"sql": "select pg_backend_pid()"}
        ((pid,),) = json.loads((await database.invoke("query", b"", own)).data or b"")
        with psycopg.connect(postgres, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 30000)", [pid])
        ((new,),) = json.loads((await database.invoke("query", b"", own)).data or b"")
        assert new != pid
        killing = {"sql": "select pg_terminate_backend(pg_backend_pid())"}
        with pytest.raises(BackendUnavailable, match="the connection to the database broke"):
            await database.invoke("query", b"", killing)
        assert json.loads((await database.invoke("query", b"", own)).data or b"")


async def test_a_database_that_cannot_be_reached_is_told_without_the_password() -> None:
    url = "postgresql://user:hidden@127.0.0.1:1/orders"
    with pytest.raises(BackendUnavailable, match="cannot be reached") as caught:
        async with opened("postgresql", url=url):
            pass
    assert "hidden" not in str(caught.value)


async def test_what_is_no_connection_string_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="is no connection string") as caught:
        async with opened("postgresql", connectionString="password='hidden host=x"):
            pass
    assert "hidden" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("host=x pool_min_conns=1 pool_max_conns='10' dbname=y", ("host=x dbname=y", 10)),
        (
            r"password='a\' pool_max_conns=7' host=x",
            (r"password='a\' pool_max_conns=7' host=x", None),
        ),
        ("host = x pool_max_conns = 2", ("host = x ", 2)),
        (
            "postgresql://x/y?pool_max_conns=3&connect_timeout=5",
            ("postgresql://x/y?connect_timeout=5", 3),
        ),
        ("postgresql://x/y?pool_min_conns=1", ("postgresql://x/y?", None)),
        ("postgresql://x/y?options=-c%20a%3Db", ("postgresql://x/y?options=-c%20a%3Db", None)),
    ],
)
def test_a_connection_string_may_have_keys_of_go(given: str, read: tuple[str, int | None]) -> None:
    assert read_connection_string(given) == read


@pytest.mark.parametrize("size", ["0", "-1", "many", ""])
def test_a_pool_without_connections_is_no_connection_string(size: str) -> None:
    assert read_connection_string(f"host=x pool_max_conns={size}") is None


async def test_a_connection_string_as_the_quickstart_has_it_connects(postgres: str) -> None:
    string = " ".join(f"{key}='{value}'" for key, value in conninfo_to_dict(postgres).items())
    string += " pool_min_conns=1 pool_max_conns=10"
    async with opened("postgres", url=string) as database:
        answer = await database.invoke("query", b"", {"sql": "select 1"})
        assert json.loads(answer.data or b"") == [[1]]


def test_without_the_library_the_message_says_what_to_install() -> None:
    program = """
import asyncio, sys
sys.modules["psycopg"] = None
from blocks.bindings.opening import opened
async def main():
    async with opened("postgres", url="postgresql://host"):
        pass
asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd="tests"
    )
    assert "ConfigurationError: component 'outside' needs psycopg" in ended.stderr
    assert "pip install 'flowyard[postgres]'" in ended.stderr
