"""The conformance suite of brokers."""

from __future__ import annotations

from flowyard.testing.conformance.pubsub.arriving import Arriving
from flowyard.testing.conformance.pubsub.ending import Ending
from flowyard.testing.conformance.pubsub.repeating import Repeating
from flowyard.testing.conformance.pubsub.subject import PubSubFixtures, Subscriber

__all__ = ["PubSubConformance", "PubSubFixtures", "Subscriber"]


class PubSubConformance(PubSubFixtures, Arriving, Repeating, Ending):
    """Every rule of `flowyard.backend.PubSub` as a test. Override `component_spec`."""
