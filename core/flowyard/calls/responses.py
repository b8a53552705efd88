"""What a method of an application answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from flowyard.errors import PayloadError
from flowyard.payload import PayloadType

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InvokeMethodResponse:
    """What a method has answered.

    Attributes:
        data: The body, as it was sent.
        status_code: The HTTP status, from 200 to 299.
        headers: The headers; their names are in lower case.
    """

    data: bytes
    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str | None:
        """What the answer says that the body is; None if it says nothing."""
        return self.headers.get("content-type")

    def text(self) -> str:
        """Return the body as text.

        Raises:
            PayloadError: If it is not UTF-8.
        """
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            raise PayloadError("the answer is not text: read its bytes from `data`") from error

    @overload
    def json(self) -> Any: ...

    @overload
    def json(self, type: type[T]) -> T: ...

    def json(self, type: Any = None) -> Any:
        """Return the value of a JSON body.

        Args:
            type: The type that it has to have; None, the default, for a plain JSON value.

        Raises:
            PayloadError: If it is not JSON, or not of this type.
        """
        return PayloadType.of(type).decode(self.text(), "the answer")
