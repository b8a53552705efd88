"""`secretKeyRef` and `envRef`, from the environment and from a file."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from flowyard.config import ComponentSpec, load_components
from flowyard.config.secrets import SecretRef
from flowyard.config.settings import read_settings
from flowyard.errors import ConfigurationError

SECRETS = {
    "password": "hunter2",
    "pin": 0.10,
    "empty": "",
    "is-on": True,
    "database": {"password": "hunter3", "hosts": ["a", "b"]},
}


class Settings(BaseModel):
    """What the component of these tests takes."""

    password: SecretStr


def read(spec: ComponentSpec) -> str:
    """Return the password of a component."""
    return read_settings(spec.label, spec.metadata, Settings).password.get_secret_value()


def document(of_type: str, name: str, metadata: str, auth: str = "") -> str:
    """Return a document as Dapr's users write it."""
    return (
        f"---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\n"
        f"spec: {{type: {of_type}, version: v1, metadata: {metadata}}}\n{auth}"
    )


def configured(tmp_path: Path, reference: str, auth: str = "", store: str = "") -> ComponentSpec:
    """Return a component whose password is a reference."""
    file = tmp_path / "components.yaml"
    metadata = f"[{{name: password, {reference}}}]"
    file.write_text(document("workflow.sample", "orders", metadata, auth) + store)
    return load_components(file).default


def in_file(tmp_path: Path, reference: str, more: str = "") -> ComponentSpec:
    """Return a component whose password is in the secrets file."""
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps(SECRETS))
    store = document(
        "secretstores.local.file",
        "local",
        f"[{{name: secretsFile, value: {secrets}}}{more}]",
    )
    return configured(tmp_path, reference, "auth: {secretStore: local}\n", store)


def fault(spec: ComponentSpec) -> str:
    """Return what reading says, after the component; no secret may be in its traceback."""
    with pytest.raises(ConfigurationError) as caught:
        read(spec)
    assert "hunter" not in "".join(traceback.format_exception(caught.value))
    assert str(caught.value).startswith(f"{spec.label}: key 'password': ")
    return str(caught.value).removeprefix(f"{spec.label}: key 'password': ")


def test_without_a_secret_store_the_key_names_an_environment_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_PASSWORD", "hunter2")
    reference = "secretKeyRef: {name: orders, key: ORDERS_PASSWORD}"
    assert read(configured(tmp_path, reference)) == "hunter2"


def test_the_name_is_the_key_where_no_key_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_PASSWORD", "hunter2")
    assert read(configured(tmp_path, "secretKeyRef: {name: ORDERS_PASSWORD}")) == "hunter2"


def test_env_ref_names_an_environment_variable_whatever_the_secret_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_PASSWORD", "from the environment")
    assert read(in_file(tmp_path, "envRef: ORDERS_PASSWORD")) == "from the environment"


def test_a_store_of_environment_variables_may_have_a_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    store = document("secretstores.local.env", "env", "[{name: prefix, value: SHOP_}]")
    auth = "auth: {secretStore: env}\n"
    spec = configured(tmp_path, "secretKeyRef: {name: PASSWORD}", auth, store)
    assert read(spec) == "hunter2"


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("ORDERS_PASSWORD", raising=False)
    if value is not None:
        monkeypatch.setenv("ORDERS_PASSWORD", value)
    assert fault(configured(tmp_path, "secretKeyRef: {name: ORDERS_PASSWORD}")) == (
        "secret 'ORDERS_PASSWORD' was not found: set the environment variable ORDERS_PASSWORD."
    )


def test_a_secret_is_read_only_when_its_component_is_used(tmp_path: Path) -> None:
    spec = configured(tmp_path, "secretKeyRef: {name: FLOWYARD_TEST_NOT_SET}")
    assert spec.metadata["password"] == SecretRef("FLOWYARD_TEST_NOT_SET")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "hunter2"),
        ("pin", "0.1"),
        ("is-on", "true"),
        ("'database:password'", "hunter3"),
        ("'database:hosts:1'", "b"),
    ],
)
def test_a_file_holds_secrets_by_name_and_nested_ones_by_path(
    tmp_path: Path, name: str, value: str
) -> None:
    assert read(in_file(tmp_path, f"secretKeyRef: {{name: {name}}}")) == value


def test_the_name_may_be_said_twice_as_in_the_examples_of_dapr(tmp_path: Path) -> None:
    spec = in_file(tmp_path, "secretKeyRef: {name: password, key: password}")
    assert read(spec) == "hunter2"


def test_the_separator_of_nested_names_may_be_chosen(tmp_path: Path) -> None:
    more = ", {name: nestedSeparator, value: .}"
    assert read(in_file(tmp_path, "secretKeyRef: {name: database.password}", more)) == "hunter3"


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("{name: database, key: password}", "hunter3"),
        ("{name: database, key: 'hosts:0'}", "a"),
        ("{name: password}", "hunter2"),
        ("{name: password, key: password}", "hunter2"),
    ],
)
def test_secrets_of_a_file_may_have_keys(tmp_path: Path, reference: str, value: str) -> None:
    more = ", {name: multiValued, value: true}"
    assert read(in_file(tmp_path, f"secretKeyRef: {reference}", more)) == value


@pytest.mark.parametrize("name", ["pasword", "empty", "database"])
def test_a_secret_that_the_file_has_not_is_told(tmp_path: Path, name: str) -> None:
    assert fault(in_file(tmp_path, f"secretKeyRef: {{name: {name}}}")) == (
        f"secret '{name}' was not found in {tmp_path / 'secrets.json'}: add it there."
    )


def test_a_key_of_a_nested_secret_is_told_with_the_two_ways_to_read_it(tmp_path: Path) -> None:
    assert fault(in_file(tmp_path, "secretKeyRef: {name: database, key: password}")) == (
        f"secret 'database' with key 'password' was not found in {tmp_path / 'secrets.json'}: "
        "add it there. Or name a nested one 'database:password' without a key, "
        "or set multiValued to true in the secret store."
    )


def test_a_missing_secrets_file_is_told(tmp_path: Path) -> None:
    spec = in_file(tmp_path, "secretKeyRef: {name: password}")
    (tmp_path / "secrets.json").unlink()
    assert fault(spec) == (
        f"the secrets file {tmp_path / 'secrets.json'} cannot be read: No such file or directory. "
        "A relative secretsFile starts from the working directory."
    )


def test_a_relative_secrets_file_starts_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.json").write_text('{"password": "hunter2"}')
    store = document("secretstores.local.file", "local", "[{name: secretsFile, value: s.json}]")
    auth = "auth: {secretStore: local}\n"
    assert read(configured(tmp_path, "secretKeyRef: {name: password}", auth, store)) == "hunter2"


@pytest.mark.parametrize("text", ['{"password": hunter2}', '["hunter2"]', "\x00"])
def test_a_secrets_file_that_is_no_json_object_is_told(tmp_path: Path, text: str) -> None:
    spec = in_file(tmp_path, "secretKeyRef: {name: password}")
    (tmp_path / "secrets.json").write_text(text)
    assert fault(spec).startswith(f"the secrets file {tmp_path / 'secrets.json'} is not ")


def test_an_unknown_secret_store_is_told_with_the_nearest(tmp_path: Path) -> None:
    store = document("secretstores.local.env", "vault", "[]")
    with pytest.raises(ConfigurationError) as caught:
        configured(tmp_path, "secretKeyRef: {name: password}", "auth: {secretStore: valt}\n", store)
    assert (
        "components.yaml: component 'orders': auth.secretStore: no secret store is named 'valt'. "
        "Did you mean 'vault'?"
    ) in str(caught.value)


def test_a_secret_store_of_a_foreign_type_is_told_only_where_it_is_used(tmp_path: Path) -> None:
    store = document("secretstores.hashicorp.vault", "vault", "[{name: vaultAddr, value: x}]")
    assert configured(tmp_path, "value: x", store=store).name == "orders"
    with pytest.raises(ConfigurationError, match=r"secretstores\.hashicorp\.vault cannot be read"):
        configured(tmp_path, "value: x", "auth: {secretStore: vault}\n", store)


def test_a_secret_store_without_its_file_is_told(tmp_path: Path) -> None:
    store = document("secretstores.local.file", "local", "[]")
    with pytest.raises(ConfigurationError, match="'local': key 'secretsFile' is missing"):
        configured(tmp_path, "value: x", "auth: {secretStore: local}\n", store)


def test_a_secret_may_be_named_in_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_PASSWORD", "hunter2")
    metadata = {"password": SecretRef("ORDERS_PASSWORD")}
    assert read(ComponentSpec("orders", "workflow.sample", metadata=metadata)) == "hunter2"
