"""One HTTPEndpoint as a YAML document describes it, in Dapr's shape and checked for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from flowyard.config.http_endpoints import HttpEndpoint
from flowyard.config.manifest import Auth, Document, Item, Metadata, SecretKeyRef
from flowyard.errors import ConfigurationError

Read = Callable[[str, Item], object]
"""Returns the value of an entry: text, or a `SecretRef`. It is given the label for messages."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        if isinstance(value, dict):
            return {key: item for key, item in value.items() if item is not None}
        return value


class _Pem(_Shape):
    value: str | None = None
    secret_key_ref: SecretKeyRef | None = None


class _ClientTls(_Shape):
    root_ca: _Pem | None = Field(None, alias="rootCA")
    certificate: _Pem | None = None
    private_key: _Pem | None = None
    # The others let a server begin the handshake again, which TLS 1.3 does not know.
    renegotiation: Literal["RenegotiateNever"] = "RenegotiateNever"


class _Spec(_Shape):
    base_url: str = Field(pattern=r"^https?://[^/]")
    headers: list[Item] = Field(default_factory=list)
    client_tls: _ClientTls = Field(_ClientTls.model_construct(), alias="clientTLS")


class _Endpoint(_Shape):
    api_version: Literal["dapr.io/v1alpha1"]
    kind: str
    metadata: Metadata
    spec: _Spec
    auth: Auth = Field(default_factory=Auth)
    scopes: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EndpointManifest:
    """A document of an HTTPEndpoint, whole and of the right shape."""

    name: str
    secret_store: str
    source: Path
    _parsed: _Endpoint

    def endpoint(self, read: Read) -> HttpEndpoint:
        """Return the endpoint, whose values `read` finds."""
        spec = self._parsed.spec
        bare = HttpEndpoint(self.name, spec.base_url.rstrip("/"), source=self.source)
        headers: dict[str, object] = {}
        for item in spec.headers:
            headers[item.name] = read(bare.label, item)

        def pem(key: str, given: _Pem | None) -> object:
            if given is None:
                return ""
            reference = given.secret_key_ref
            item = Item.model_construct(name=key, value=given.value, secret_key_ref=reference)
            return read(bare.label, item)

        return HttpEndpoint(
            self.name,
            bare.base_url,
            headers,
            pem("clientTLS.rootCA", spec.client_tls.root_ca),
            pem("clientTLS.certificate", spec.client_tls.certificate),
            pem("clientTLS.privateKey", spec.client_tls.private_key),
            self.source,
            tuple(self._parsed.scopes),
        )


def parse_endpoint(document: Document) -> EndpointManifest:
    """Return a document of kind HTTPEndpoint, or raise `ConfigurationError`."""
    try:
        parsed = _Endpoint.model_validate(document.content)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
    else:
        name, store = parsed.metadata.name, parsed.auth.secret_store
        return EndpointManifest(name, store, document.source, parsed)
    # Outside of the handler, so that no chained message shows a value.
    said = "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'the document'}: "
        f"{fault['msg'][:1].lower()}{fault['msg'][1:]}"
        for fault in faults
    )
    raise ConfigurationError(f"{document.where}: HTTPEndpoint: {said}. Correct it.")
