"""Payloads: JSON text, checked by the declared type, with the field that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NoReturn
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    Base64Bytes,
    BaseModel,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    SecretStr,
    computed_field,
    field_serializer,
)
from typing_extensions import TypedDict

from flowyard import PayloadError, RegistrationError
from flowyard.payload import UNTYPED, JsonText, PayloadType, encode


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


@dataclass
class Line:
    item: str
    price: Decimal = Decimal(1)
    tags: set[str] = field(default_factory=set)


class Order(BaseModel):
    lines: list[Line]
    placed: datetime
    size: Size = Size.SMALL
    note: str | None = Field(default=None, alias="Note")


class Point(NamedTuple):
    x: int
    y: int


class Address(TypedDict):
    street: str


ORDER = Order(
    lines=[Line("cup", Decimal("2.50"), {"new"})], placed=datetime(2030, 1, 1, tzinfo=UTC), Note="ü"
)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Order, ORDER),
        (Line, Line("cup")),
        (list[Line], [Line("cup"), Line("pot")]),
        (Point, Point(1, 2)),
        (Address, {"street": "High Street"}),
        (Size, Size.LARGE),
        (Literal["a", "b"], "b"),
        (int | str, "5"),
        (int | None, None),
        (datetime, datetime(2030, 1, 1, 12, tzinfo=UTC)),
        (date, date(2030, 1, 1)),
        (timedelta, timedelta(days=1, microseconds=5)),
        (UUID, UUID(int=7)),
        (bytes, b"plain"),
        (tuple[int, str], (1, "a")),
        (dict[int, str], {1: "a"}),
        (frozenset[int], frozenset({1, 2})),
        (bool, True),
        (float, 1.0),
        (int, 2**53 + 1),
        (str, ""),
    ],
)
def test_a_typed_value_comes_back_as_it_was(annotation: Any, value: object) -> None:
    payload = PayloadType.of(annotation)
    again = payload.decode(payload.encode(value, "input"), "input")
    assert again == value
    assert type(again) is type(value)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda values: (
        st.lists(values) | st.dictionaries(st.text(st.characters(codec="utf-8")), values)
    ),
    max_leaves=20,
)


@given(json_values)
def test_plain_json_comes_back_as_it_was(value: object) -> None:
    assert UNTYPED.decode(UNTYPED.encode(value, "input"), "input") == value


@pytest.mark.parametrize("annotation", [None, Any, object])
def test_no_annotation_any_and_object_mean_plain_json(annotation: object) -> None:
    assert PayloadType.of(annotation) is UNTYPED


@pytest.mark.parametrize("text", [None, ""])
def test_an_absent_payload_is_null(text: str | None) -> None:
    assert UNTYPED.decode(text, "input") is None
    assert PayloadType.of(int | None).decode(text, "input") is None
    with pytest.raises(
        PayloadError, match="input does not fit: value: Input should be a valid int"
    ):
        PayloadType.of(int).decode(text, "input")


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (Order, {"lines": []}, "placed: Field required"),
        (Order, {"lines": [{"item": 5}], "placed": 0}, "lines.0.item: Input should be a valid s"),
        (Line, {"item": "cup", "price": "much"}, "price: Input should be a valid decimal"),
        (list[int], [1, "x"], "1: Input should be a valid integer"),
        (int, "seven", "value: Input should be a valid integer"),
        (Literal["a"], "b", "value: Input should be 'a'"),
    ],
)
def test_what_does_not_fit_is_named_with_its_field(
    annotation: Any, value: object, message: str
) -> None:
    with pytest.raises(PayloadError) as refused:
        PayloadType.of(annotation).encode(value, "input of activity 'pay'")
    assert str(refused.value).startswith("input of activity 'pay' does not fit: ")
    assert message in str(refused.value)


def test_the_message_does_not_show_the_value() -> None:
    with pytest.raises(PayloadError) as refused:
        PayloadType.of(Line).encode({"item": ["my password"]}, "input")
    assert "my password" not in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {"deep": [object()]},
        float("nan"),
        [float("inf")],
        {"x": float("-inf")},
        b"\xff",
        "\udcff",
        lambda: None,
    ],
)
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(PayloadError, match=r"input is not JSON: .*Use plain values, dataclasses"):
        encode(value, "input")


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(PayloadError, match="is not JSON"):
        encode(value, "input")


@pytest.mark.parametrize("value", ["NaN", {"Infinity": "-Infinity"}])
def test_text_that_reads_like_a_number_is_text(value: object) -> None:
    assert UNTYPED.decode(encode(value, "input"), "input") == value


@pytest.mark.parametrize("text", ["{", "NaN", "[1,]", "nul", "Infinity"])
@pytest.mark.parametrize("annotation", [None, int])
def test_text_that_is_not_json_is_refused(text: str, annotation: object) -> None:
    with pytest.raises(PayloadError, match=r"^data of event 'x'"):
        PayloadType.of(annotation).decode(text, "data of event 'x'")


def test_a_megabyte_of_any_language_comes_back() -> None:
    value = "süß 漢字 🎉 \x00" * 60_000
    assert UNTYPED.decode(encode(value, "input"), "input") == value


def test_a_generator_of_values_is_a_list() -> None:
    def numbers() -> Iterator[int]:
        yield from range(3)

    assert encode(numbers(), "input") == "[0,1,2]"


class Login(BaseModel):
    password: SecretStr


@pytest.mark.parametrize("annotation", [Login, None, dict])
def test_a_secret_is_refused_for_it_would_arrive_as_asterisks(annotation: Any) -> None:
    login = Login(password=SecretStr("hidden"))
    value = {"a": login} if annotation is dict else login
    with pytest.raises(PayloadError, match="password: a secret is written as ast") as refused:
        PayloadType.of(annotation).encode(value, "input")
    assert "hidden" not in str(refused.value)


class Shown(BaseModel):
    secret: SecretStr

    @field_serializer("secret", when_used="json")
    def _show(self, secret: SecretStr) -> str:
        return secret.get_secret_value()


class Reading(BaseModel):
    celsius: float | None = None


class Renamed(BaseModel):
    order_id: str | None = Field(default=None, serialization_alias="orderId")


class Computed(BaseModel, extra="forbid"):
    width: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.width**2


class Cached(BaseModel):
    width: int
    left_out: str = Field(default="none", exclude=True)
    _area: int | None = PrivateAttr(default=None)


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and self.cents == other.cents

    def __hash__(self) -> int:
        return self.cents


InCents = Annotated[
    Money,
    PlainValidator(lambda value: value if isinstance(value, Money) else Money(int(value))),
    PlainSerializer(lambda money: money.cents, return_type=int),
]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Shown, Shown(secret=SecretStr("hidden"))),
        (Renamed, Renamed(order_id="o-17")),
        (Computed, Computed(width=3)),
        (Base64Bytes, b"\xff\x00"),
        (InCents, Money(5)),
        (list[InCents], [Money(5)]),
        (dict[str, InCents], {"a": Money(5)}),
    ],
)
def test_the_declared_type_writes_what_it_reads(annotation: Any, value: object) -> None:
    payload = PayloadType.of(annotation)
    assert payload.decode(payload.encode(value, "input"), "input") == value


def test_what_a_model_keeps_to_itself_is_not_missed() -> None:
    value = Cached(width=3, left_out="this")
    value._area = 9
    assert PayloadType.of(Cached).encode(value, "input") == '{"width":3}'


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (Reading, Reading(celsius=float("nan")), "celsius: NaN is not a number in JSON"),
        (float | None, float("inf"), "value: an infinity is not a number in JSON"),
        (None, Reading(celsius=float("nan")), "celsius: NaN is not a number in JSON"),
        (None, {"a": [float("nan")]}, "a.0: NaN is not a number in JSON"),
        (None, b"\xff", "encode them with base64"),
        (bytes, b"\xff", "encode them with base64"),
        (dict, {1: "a"}, "its keys change"),
        (list[Any], [{"a": {1: 2}}], "0.a: its keys change"),
    ],
)
def test_what_would_be_read_as_another_value_is_refused_with_its_place(
    annotation: Any, value: object, message: str
) -> None:
    with pytest.raises(PayloadError, match=re.escape(message)):
        PayloadType.of(annotation).encode(value, "input")


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Line, {"item": "cup"}),
        (dict, Line("cup")),
        (list[int], (1, 2)),
        (float, 1),
        (datetime, "2030-01-01T12:00:00Z"),
        (dict, {"when": datetime(2030, 1, 1, tzinfo=UTC), "pair": (1, 2)}),
        (Line, JsonText('{"item":"cup"}')),
    ],
)
def test_json_may_stand_for_the_declared_type(annotation: Any, value: object) -> None:
    payload = PayloadType.of(annotation)
    assert payload.decode(payload.encode(value, "input"), "input") is not None


def test_what_refers_to_itself_twice_is_refused_at_once() -> None:
    value: list[object] = []
    value += [value, value]
    with pytest.raises(PayloadError, match="is not JSON"):
        encode(value, "input")


@pytest.mark.parametrize("annotation", [NoReturn, type("Odd", (), {})])
def test_a_type_that_is_no_payload_is_refused(annotation: object) -> None:
    with pytest.raises(RegistrationError, match="cannot be used as a payload type"):
        PayloadType.of(annotation)


def test_a_class_that_a_type_names_in_quotes_must_be_defined() -> None:
    class Parcel(BaseModel):
        content: list[Unwritten]  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(RegistrationError, match=r"Parcel.* is not fully defined"):
        PayloadType.of(Parcel)


def test_a_union_keeps_the_order_in_which_it_is_written() -> None:
    left, right = list[int] | list[str], list[str] | list[int]
    assert left == right
    assert PayloadType.of(left) is not PayloadType.of(right)
    assert PayloadType.of(left) is PayloadType.of(list[int] | list[str])
