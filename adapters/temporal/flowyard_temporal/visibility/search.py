"""Temporal's visibility: finds runs by what they are like; it lags a moment behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

from flowyard_temporal.connection import Connection

_PAGE = 1000


class Visibility:
    """Asks for runs. The server allows few such requests a second (10, if nobody changed that)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(
        self, condition: str, count: int, token: bytes
    ) -> tuple[Sequence[WorkflowExecutionInfo], bytes]:
        """Return runs, and the token of the next page, which is empty if nothing follows."""
        connection = self._connection
        request = ListWorkflowExecutionsRequest(
            namespace=connection.namespace,
            query=condition,
            page_size=count,
            next_page_token=token,
        )
        answer = await connection.call(connection.service.list_workflow_executions, request)
        return answer.executions, answer.next_page_token

    async def all(self, condition: str) -> list[WorkflowExecutionInfo]:
        """Return all runs that there are."""
        runs, token = await self.page(condition, _PAGE, b"")
        found = list(runs)
        while token:
            runs, token = await self.page(condition, _PAGE, token)
            found += runs
        return found


def is_quotable(text: str) -> bool:
    """Whether text means itself in visibility's language, whatever database is behind it.

    With SQLite, quotes and backslashes do not: what is quoted as the language has it finds nothing.
    """
    return text.isprintable() and not {'"', "\\"} & set(text)


def quoted(text: str) -> str:
    """Write text that is quotable."""
    return "'" + text.replace("'", "\\'") + "'"


def one_of(texts: Iterable[str]) -> str:
    """Write a list of texts that are quotable."""
    return f"({', '.join(map(quoted, texts))})"
