"""Payloads are JSON text. pydantic checks the typed ones; untyped ones are plain JSON values."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from flowyard.errors import PayloadError, RegistrationError
from flowyard.fidelity import change, unsayable

logger = logging.getLogger(__name__)

_UNTYPED = (None, Any, object)
_SCALARS = (int, str, bool)
# How the text may be written, in order: as it is shown to others, else as it is read again.
_SPELLINGS: tuple[dict[str, bool], ...] = (
    {"by_alias": True},
    {"by_alias": True, "round_trip": True},
    {"by_alias": False, "round_trip": True},
)


class JsonText(str):
    """A payload that is text already, as it came over the wire: it is sent on as it stands.

    `encode` refuses text that is not JSON; empty text means that there is no value.
    """

    __slots__ = ()


class Absent:
    """The type of `ABSENT`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = Absent()
"""Stands for an input that is not given. None is an input like any other."""


_LARGE = 2**63


def encode(value: object, what: str) -> str:
    """Return the JSON text of a value; `what` names it in the `PayloadError`."""
    if type(value) is int and -_LARGE < value < _LARGE:
        return str(value)  # what most counters and IDs are, without a look at what is suspect
    if isinstance(value, JsonText):
        if value:
            UNTYPED.decode(value, what)
        return str(value)
    try:
        text = to_json(value, inf_nan_mode="constants")
        if b"NaN" in text or b"Infinity" in text:
            from_json(text, allow_inf_nan=False)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise PayloadError(f"{what} is not JSON: {unsayable(value) or error}.{_ADVICE}") from error
    # Models say NaN and secrets in words that are read as something else.
    is_suspect = b"null" in text or b'"***' in text
    if is_suspect and not _is_plain(value, text) and (fault := unsayable(value)) is not None:
        raise PayloadError(f"{what} is not JSON: {fault}.{_ADVICE}")
    return text.decode()


def _is_plain(value: object, text: bytes) -> bool:
    """Whether a value is plain JSON: large ones are looked at faster so than part by part."""
    try:
        return bool(from_json(text) == value)
    except Exception:  # noqa: BLE001 - comparing is other people's code
        return False


_ADVICE = " Use plain values, dataclasses or pydantic models."


def _explain(error: ValidationError) -> str:
    # Only places and reasons: the offending input may be a secret.
    faults = (
        f"{'.'.join(str(part) for part in fault['loc']) or 'value'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return "; ".join(faults)


def _is_json(text: str | None) -> bool:
    try:
        from_json(text or "null", allow_inf_nan=False)
    except ValueError:
        return False
    return True


class PayloadType:
    """One declared type of a payload, ready to check, encode and decode."""

    __slots__ = ("_adapter", "_scalar", "_validate")

    def __init__(self, adapter: TypeAdapter[Any] | None, scalar: type | None = None) -> None:
        self._adapter = adapter
        self._validate = None if adapter is None else adapter.validator.validate_json
        self._scalar = scalar

    @staticmethod
    def of(annotation: Any) -> PayloadType:
        """Build it from an annotation; None, Any and object mean plain JSON."""
        if any(annotation is untyped for untyped in _UNTYPED):
            return UNTYPED
        try:
            return _of(annotation, repr(annotation))
        except TypeError:
            # Metadata of Annotated may be unhashable.
            return _build(annotation)

    def encode(self, value: object, what: str) -> str:
        """Return the JSON text from which `decode` makes the value again.

        Raises `PayloadError` for one of another type, or one that would be read as another value.
        """
        if self._adapter is None or type(value) is self._scalar:
            return encode(value, what)
        if isinstance(value, JsonText):
            # The JSON must fit, not the Python type: a dataclass may stand for a dict.
            self.decode(value, what)
            return str(value)
        refusal: PayloadError | None = None
        for spelling in _SPELLINGS:
            text = self._dump(self._adapter, value, what, spelling)
            try:
                place = change(value, self.decode(text, what))
            except PayloadError as error:
                refusal = refusal or error
                continue
            if place is None:
                return text
            if refusal is None or refusal.is_unfit:
                refusal = PayloadError(
                    f"{what} would not arrive as it is: {place}. Give its type a serializer "
                    "whose JSON is read as the same value."
                )
                refusal.readable = text
        if (fault := unsayable(value)) is not None:
            raise PayloadError(f"{what} is not JSON: {fault}.{_ADVICE}") from None
        assert refusal is not None  # noqa: S101
        raise refusal

    def decode(self, text: str | None, what: str) -> Any:
        """Return the value of JSON text, or raise `PayloadError`. Absent or empty text is null."""
        try:
            if self._validate is None:
                return from_json(text, allow_inf_nan=False) if text else None
            return self._validate(text or "null")
        except ValidationError as error:
            unfit = PayloadError(f"{what} does not fit: {_explain(error)}")
            unfit.is_unfit = _is_json(text)
            raise unfit from error
        except ValueError as error:
            raise PayloadError(f"{what} is not JSON: {error}") from error

    @staticmethod
    def _dump(
        adapter: TypeAdapter[Any], value: object, what: str, spelling: dict[str, bool]
    ) -> str:
        """Have the declared type write the value; one of another type is written as it is."""
        try:
            return adapter.dump_json(value, warnings="error", **spelling).decode()  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - serializers are other people's code, and meet anything
            return encode(value, what)


def _build(annotation: Any, _order: str = "") -> PayloadType:
    try:
        scalar = annotation if any(annotation is known for known in _SCALARS) else None
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


class ResultType:
    """The declared type of a result. What does not fit it is accepted: the work is done.

    A warning says so, once for each function. A strict one refuses it.
    """

    __slots__ = ("_has_warned", "_of", "_strict", "_type")

    def __init__(self, payload_type: PayloadType, of: str, *, strict: bool) -> None:
        self._type = payload_type
        self._of = of
        self._strict = strict
        self._has_warned = False

    def encode(self, value: object, what: str) -> str:
        """Return the JSON text; raise `PayloadError` if there is none."""
        try:
            return self._type.encode(value, what)
        except PayloadError as error:
            self._accept(error)
            return error.readable or encode(value, what)

    def decode(self, text: str | None, what: str) -> Any:
        """Return the value, a plain JSON value where it is not of the declared type."""
        try:
            return self._type.decode(text, what)
        except PayloadError as error:
            self._accept(error)
            return UNTYPED.decode(text, what)

    def _accept(self, error: PayloadError) -> None:
        if self._strict or not (error.is_unfit or error.readable):
            raise error
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "%s: what it returned does not fit its annotation, and is accepted as it is. %s. "
                "Correct the annotation, or use App(strict_results=True) to make such results "
                "fail. This warning is given once.",
                self._of,
                error,
            )
