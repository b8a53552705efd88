"""What callers have added to the metadata while the server runs."""

from __future__ import annotations

from flowyard.wire.json.errors import RequestFault

LONGEST_EXTRA = 64 * 1024
_MOST_EXTRAS = 100


class Extras(dict[str, str]):
    """Values by their keys, the same for every face."""

    def add(self, key: str, value: str) -> None:
        """Keep a value; raises `RequestFault` if there are too many, or if it is too long."""
        if key not in self and len(self) >= _MOST_EXTRAS:
            raise RequestFault(
                400,
                "ERR_METADATA_FULL",
                f"the metadata has {_MOST_EXTRAS} values already, and takes no more",
            )
        if len(key) + len(value) > 2 * LONGEST_EXTRA:
            text = f"the value is longer than {LONGEST_EXTRA} characters"
            raise RequestFault(400, "ERR_METADATA_FULL", text)
        self[key] = value
