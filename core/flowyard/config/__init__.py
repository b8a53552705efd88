"""components.yaml: which components there are, which is the default, and their settings."""

from flowyard.config.components import Components, ComponentSpec, load_components, resolve
from flowyard.config.http_endpoints import HttpEndpoint
from flowyard.config.secrets import SecretRef

__all__ = ["ComponentSpec", "Components", "HttpEndpoint", "SecretRef", "load_components", "resolve"]
