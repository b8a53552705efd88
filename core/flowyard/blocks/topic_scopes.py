"""Which topics an application may use, as the metadata of a broker say."""

from __future__ import annotations

from dataclasses import dataclass

from flowyard.config.block_settings import PubSubSettings


@dataclass(frozen=True, slots=True)
class TopicScopes:
    """What the configuration of a broker allows to one application.

    Attributes:
        allowed: The topics that there are; None for any.
        protected: The topics that only applications may use which are given them by name.
        publishing: The topics that this application may publish to; None for any.
        subscribing: The topics that it may subscribe to; None for any.
    """

    allowed: frozenset[str] | None = None
    protected: frozenset[str] = frozenset()
    publishing: frozenset[str] | None = None
    subscribing: frozenset[str] | None = None

    @staticmethod
    def of(settings: PubSubSettings, app_id: str) -> TopicScopes:
        """Return what the settings say of an application."""
        return TopicScopes(
            _topics(settings.allowed_topics) or None,
            _topics(settings.protected_topics),
            _scoped(settings.publishing_scopes, app_id),
            _scoped(settings.subscription_scopes, app_id),
        )

    def may_publish(self, topic: str) -> bool:
        """Whether the application may publish to a topic."""
        return self._may(topic, self.publishing)

    def may_subscribe(self, topic: str) -> bool:
        """Whether the application may subscribe to a topic."""
        return self._may(topic, self.subscribing)

    def _may(self, topic: str, scope: frozenset[str] | None) -> bool:
        if self.allowed is not None and topic not in self.allowed:
            return False
        if scope is None:
            return topic not in self.protected
        return topic in scope


def _topics(text: str) -> frozenset[str]:
    return frozenset(filter(None, (topic.strip() for topic in text.split(","))))


def _scoped(text: str, app_id: str) -> frozenset[str] | None:
    """Return the topics of `app1=topicA,topicB;app2=topicC` for an application, None if unnamed."""
    for part in text.split(";"):
        name, is_scope, topics = part.partition("=")
        if is_scope and name.strip() == app_id:
            return _topics(topics)
    return None
