"""Settings of the other building blocks that are Flowyard's own, whatever the component's type."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class BlockSettings(BaseModel):
    """What is read from `spec.metadata` before the component's type sees the rest."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)


class StateSettings(BlockSettings):
    """Of a state store: how its keys begin, and what Dapr alone makes use of."""

    key_prefix: str = "appid"
    actor_state_store: str = ""


class PubSubSettings(BlockSettings):
    """Of a broker: which application may use which topic, and how often a message is delivered."""

    publishing_scopes: str = ""
    subscription_scopes: str = ""
    allowed_topics: str = ""
    protected_topics: str = ""
    max_retries: int = Field(default=10, ge=-1)
    """How often a message that was not taken is delivered again; -1 for ever."""


class BindingSettings(BlockSettings):
    """Of a binding: which way it goes, and the path of the application that takes its events."""

    direction: str = ""
    route: str = ""


class SecretStoreSettings(BlockSettings):
    """Of a secret store: nothing."""


BLOCK_SETTINGS: Mapping[str, type[BlockSettings]] = {
    "state": StateSettings,
    "pubsub": PubSubSettings,
    "bindings": BindingSettings,
    "secretstores": SecretStoreSettings,
}
"""The settings of each block, by what the names of its types begin with."""

UNSUPPORTED: Mapping[str, Mapping[str, str]] = {
    "state": {
        "outboxPublishPubsub": "the outbox",
        "outboxPublishTopic": "the outbox",
        "outboxPubsub": "the outbox",
        "outboxDiscardWhenMissingState": "the outbox",
        "primaryEncryptionKey": "encryption of values",
        "secondaryEncryptionKey": "encryption of values",
    },
}
"""Settings of Dapr's for what Flowyard does not have, of all types of a block."""
