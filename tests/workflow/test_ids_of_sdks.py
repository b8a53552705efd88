"""IDs that Dapr takes from SDKs, which are more than its management API and ours take."""

from __future__ import annotations

import pytest

from flowyard.errors import InvalidInstanceId
from flowyard.models import check_any_id, check_instance_id


@pytest.mark.parametrize("instance_id", ["order/1", "a b", "ü", "it's", "x" * 255])
def test_an_id_of_an_sdk_is_taken_as_it_is(instance_id: str) -> None:
    checked = check_instance_id(check_any_id(instance_id))
    assert (checked, type(checked)) == (instance_id, str)


@pytest.mark.parametrize("instance_id", ["", "x" * 256, "a\0b", "a\nb", "\x85"])
def test_an_id_that_nothing_can_show_is_refused(instance_id: str) -> None:
    with pytest.raises(InvalidInstanceId, match="1 to 255 of characters that can be printed"):
        check_any_id(instance_id)
