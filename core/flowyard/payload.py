"""Payloads are JSON text. pydantic checks the typed ones; untyped ones are plain JSON values."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from flowyard.errors import PayloadError, RegistrationError

_UNTYPED = (None, Any, object)
_SCALARS = (int, str, bool)


class JsonText(str):
    """A payload that is text already, as it came over the wire: it is sent on as it stands."""

    __slots__ = ()


def encode(value: object, what: str) -> str:
    """Return the JSON text of a value; `what` names it in the `PayloadError`."""
    if isinstance(value, JsonText):
        return str(value)
    try:
        text = to_json(value, inf_nan_mode="constants")
        if b"NaN" in text or b"Infinity" in text:
            from_json(text, allow_inf_nan=False)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise PayloadError(
            f"{what} is not JSON: {error}. Use plain values, dataclasses or pydantic models."
        ) from error
    return text.decode()


def _explain(error: ValidationError) -> str:
    # Only places and reasons: the offending input may be a secret.
    faults = (
        f"{'.'.join(str(part) for part in fault['loc']) or 'value'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return "; ".join(faults)


class PayloadType:
    """One declared type of a payload, ready to check, encode and decode."""

    __slots__ = ("_scalar", "_validate")

    def __init__(self, adapter: TypeAdapter[Any] | None, scalar: type | None = None) -> None:
        self._validate = None if adapter is None else adapter.validator.validate_json
        self._scalar = scalar

    @staticmethod
    def of(annotation: Any) -> PayloadType:
        """Build it from an annotation; None, Any and object mean plain JSON."""
        if any(annotation is one for one in _UNTYPED):
            return UNTYPED
        try:
            return _of(annotation, repr(annotation))
        except TypeError:
            # Metadata of Annotated may be unhashable.
            return _build(annotation)

    def encode(self, value: object, what: str) -> str:
        """Check a value against the type and return its JSON text, or raise `PayloadError`."""
        text = encode(value, what)
        if self._validate is not None and type(value) is not self._scalar:
            # The JSON must fit, not the Python type: a dataclass may stand for a dict.
            self.decode(text, what)
        return text

    def decode(self, text: str | None, what: str) -> Any:
        """Return the value of JSON text, or raise `PayloadError`. Absent or empty text is null."""
        try:
            if self._validate is None:
                return from_json(text, allow_inf_nan=False) if text else None
            return self._validate(text or "null")
        except ValidationError as error:
            raise PayloadError(f"{what} does not fit: {_explain(error)}") from error
        except ValueError as error:
            raise PayloadError(f"{what} is not JSON: {error}") from error


def _build(annotation: Any, _order: str = "") -> PayloadType:
    try:
        scalar = annotation if any(annotation is one for one in _SCALARS) else None
        return PayloadType(TypeAdapter(annotation), scalar)
    except (PydanticSchemaGenerationError, PydanticUserError, NameError) as error:
        raise RegistrationError(
            f"{annotation!r} cannot be used as a payload type: {error}. "
            "Use plain types, dataclasses or pydantic models."
        ) from error


# Building one takes longer than a turn; results and events name the same types again and again.
# `A | B` equals `B | A` but reads text in another order: that is what the second argument is for.
_of = lru_cache(maxsize=1024)(_build)

UNTYPED = PayloadType(None)
