"""Retry policies, decided by the interpreter from history alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from flowyard.errors import InvalidRequest
from flowyard.failure import FailureDetails
from flowyard.models import check_duration

# Backoff grows without bound; a timer beyond the calendar's end does not exist.
_LONGEST_INTERVAL = timedelta(days=3650).total_seconds()


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When a failed activity or child workflow is tried again. Names are Dapr's.

    Attributes:
        first_retry_interval: The time between the first attempt and the second.
        max_number_of_attempts: The largest number of attempts, including the first one; at least 1.
        backoff_coefficient: The factor by which each wait is longer than the one before; at least
            1. By default, and for None, it is 1.0: all waits are equal.
        max_retry_interval: The longest wait; None, the default, for 3,650 days.
        retry_timeout: The longest time from the first attempt to the start of the last; None, the
            default, for no bound.
        non_retryable_error_types: Classes of errors, or their names, that end the retries; their
            subclasses do, too. None by default.

    Raises:
        InvalidRequest: If a number is below 1, or a time is negative or no timedelta.

    Example:
        ```python
        policy = RetryPolicy(
            first_retry_interval=timedelta(seconds=1),
            max_number_of_attempts=5,
            backoff_coefficient=2.0,
            non_retryable_error_types=[ValueError],
        )
        await ctx.call_activity(charge, input=order, retry_policy=policy)
        ```
    """

    first_retry_interval: timedelta
    max_number_of_attempts: int
    backoff_coefficient: float | None = 1.0
    max_retry_interval: timedelta | None = None
    retry_timeout: timedelta | None = None
    non_retryable_error_types: Collection[str | type[BaseException]] = ()

    def __post_init__(self) -> None:
        if self.max_number_of_attempts < 1:
            raise InvalidRequest("max_number_of_attempts must be at least 1")
        if self.backoff_coefficient is not None and self.backoff_coefficient < 1:
            raise InvalidRequest("backoff_coefficient must be at least 1")
        for name in ("first_retry_interval", "max_retry_interval", "retry_timeout"):
            interval = getattr(self, name)
            check_duration(interval, name)
            if interval is not None and interval < timedelta(0):
                raise InvalidRequest(f"{name} must not be negative")

    def next_delay(
        self, failed_attempts: int, elapsed: timedelta, failure: FailureDetails
    ) -> timedelta | None:
        """Decide whether there is a next attempt, and when.

        Args:
            failed_attempts: The number of attempts so far, all of which have failed; at least 1.
            elapsed: The time since the first attempt began, by the history's clock.
            failure: The error of the last attempt.

        Returns:
            How long to wait before the next attempt; None if there is none.
        """
        if failure.non_retryable or failed_attempts >= self.max_number_of_attempts:
            return None
        final = {
            error_type if isinstance(error_type, str) else error_type.__name__
            for error_type in self.non_retryable_error_types
        }
        if final and not final.isdisjoint((failure.error_type, *failure.base_types)):
            return None
        delay = self.first_retry_interval.total_seconds()
        longest = _LONGEST_INTERVAL
        if self.max_retry_interval is not None:
            longest = min(longest, self.max_retry_interval.total_seconds())
        delay = min(delay, longest)
        for _ in range(failed_attempts - 1):
            delay = min(delay * (self.backoff_coefficient or 1.0), longest)
        interval = timedelta(seconds=delay)
        if self.retry_timeout is not None and elapsed + interval >= self.retry_timeout:
            return None
        return interval
