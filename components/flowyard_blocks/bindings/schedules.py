"""When something is due, as Dapr's schedules say it: five or six fields, or a word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from flowyard_blocks.durations import read_duration

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "


class Schedule:
    """The times at which something is due, in UTC unless the text begins with `CRON_TZ=…`.

    Raises `ValueError` where the text cannot be used, or is never due.
    """

    def __init__(self, text: str) -> None:
        self.zone: tzinfo = UTC
        self.zone_name = "UTC"
        text = text.strip()
        if text.startswith(("TZ=", "CRON_TZ=")):
            zone, _, text = text.partition(" ")
            self.zone_name = zone.partition("=")[2]
            self.zone = _zone(self.zone_name)
            text = text.strip()
        self._every = timedelta(0)
        self._fields = ""
        if text.startswith(_EVERY):
            # In whole seconds, as in Dapr, and at least one.
            every = read_duration(text.removeprefix(_EVERY), "s")
            seconds = every // timedelta(seconds=1) if isinstance(every, timedelta) else 0
            self._every = timedelta(seconds=max(1, seconds))
        else:
            self._fields = _WORDS.get(text, text).replace("?", "*")
            self.after(datetime(2000, 1, 1, tzinfo=UTC))

    def after(self, time: datetime) -> datetime:
        """Return the first time at which it is due after another one."""
        if self._every:
            return time.replace(microsecond=0) + self._every
        try:
            found = CronSim(self._fields, time.astimezone(self.zone))
            found.day_and = _is_any(found.parts[3]) or _is_any(found.parts[5])
            return next(found).astimezone(UTC)
        except CronSimError as error:
            raise ValueError(f"{error}: write five fields, six, or @every 10s") from error
        except StopIteration:
            raise ValueError("it is never due") from None


def _is_any(field: str) -> bool:
    """Whether days are chosen by the other field alone; `*/2` chooses, as it does in Dapr."""
    return any(part in {"*", "*/1"} for part in field.split(","))


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"no time zone is named '{name}'") from error
