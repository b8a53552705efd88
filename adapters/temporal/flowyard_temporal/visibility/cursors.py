"""Where the next page of a listing begins, as the token that callers keep."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from flowyard.backend import InvalidRequest

# How many instances are remembered, and in how many bytes each: the token has to fit into a URL.
_MOST = 300
_SIZE = 6


@dataclass(frozen=True, slots=True)
class Cursor:
    """Temporal's own token, and the open instances that were shown last.

    Temporal lists what is open before what is closed. An instance that closes, or begins again,
    between two pages comes once more; by this it is known.
    """

    token: bytes = b""
    shown: tuple[bytes, ...] = ()

    def has_shown(self, instance_id: str) -> bool:
        """True if the instance was on a page before, and open."""
        return _digest(instance_id.encode()) in self.shown

    def moved(self, token: bytes, open_ids: Iterable[str]) -> Cursor:
        """Return the cursor after a page that had these open instances on it."""
        return Cursor(
            token,
            (*self.shown, *(_digest(instance_id.encode()) for instance_id in open_ids))[-_MOST:],
        )

    def encoded(self) -> str | None:
        """Return the token for the caller, None where nothing follows."""
        if not self.token:
            return None
        data = b"".join((len(self.shown).to_bytes(2), *self.shown, self.token))
        return base64.urlsafe_b64encode(_digest(data) + data).decode()

    @staticmethod
    def decoded(text: str | None) -> Cursor:
        """Read a caller's token; raises `InvalidRequest`."""
        if not text:
            return Cursor()
        try:
            whole = base64.b64decode(text, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise _unknown(text) from error
        data = whole[_SIZE:]
        # The server would take any other for a fault of its own.
        if _digest(data) != whole[:_SIZE]:
            raise _unknown(text)
        end = 2 + int.from_bytes(data[:2]) * _SIZE
        shown = tuple(data[start : start + _SIZE] for start in range(2, end, _SIZE))
        return Cursor(data[end:], shown)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_SIZE).digest()


def _unknown(text: str) -> InvalidRequest:
    return InvalidRequest(
        f"the continuation token {text!r} was not given by this component: pass the token of a "
        "page, or none"
    )
