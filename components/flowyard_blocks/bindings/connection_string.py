"""PostgreSQL connection strings as Dapr takes them: libpq's, with the keys of Go's client."""

from __future__ import annotations

import re

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

_SIZE = "pool_max_conns"
# Of pgx and its pool; libpq refuses them.
_OF_GO = {
    "default_query_exec_mode",
    "description_cache_capacity",
    "pool_health_check_period",
    "pool_max_conn_idle_time",
    "pool_max_conn_lifetime",
    "pool_max_conn_lifetime_jitter",
    "pool_min_conns",
    "pool_min_idle_conns",
    "statement_cache_capacity",
    _SIZE,
}
_PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?:\s+|$)", re.DOTALL)


def read_connection_string(text: str) -> tuple[str, int | None] | None:
    """Return what libpq takes of it, and how many connections it allows, if it says so.

    None if it is no connection string; the reason, which may quote the password, is left out.
    """
    rest, of_go = _split_uri(text) if "://" in text.partition("=")[0] else _split_pairs(text)
    try:
        conninfo_to_dict(rest)
        allowed = int(of_go[_SIZE]) if _SIZE in of_go else None
    except (ProgrammingError, ValueError):
        return None
    return (rest, allowed) if allowed is None or allowed > 0 else None


def _split_uri(text: str) -> tuple[str, dict[str, str]]:
    address, mark, query = text.partition("?")
    kept: list[str] = []
    of_go: dict[str, str] = {}
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key in _OF_GO:
            of_go[key] = value
        else:
            kept.append(pair)
    return (f"{address}{mark}{'&'.join(kept)}" if of_go else text), of_go


def _split_pairs(text: str) -> tuple[str, dict[str, str]]:
    kept: list[str] = []
    of_go: dict[str, str] = {}
    position = 0
    while position < len(text):
        pair = _PAIR.match(text, position)
        if pair is None:
            return text, {}
        key, value = pair.groups()
        if key in _OF_GO:
            of_go[key] = value.strip("'")
        else:
            kept.append(pair[0])
        position = pair.end()
    return ("".join(kept) if of_go else text), of_go
