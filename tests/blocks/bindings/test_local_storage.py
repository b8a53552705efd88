"""`bindings.localstorage`, against what Dapr's does (docs/protocol.md §17)."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from blocks.bindings.opening import opened
from flowyard.backend import BindingFailed, BindingRequest, ConfigurationError, InvalidRequest
from flowyard.config import ComponentSpec
from flowyard.testing.conformance import BindingConformance


class TestConformance(BindingConformance):
    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata = {"rootPath": str(tmp_path / "files")}
        return ComponentSpec(name="files", type="bindings.localstorage", metadata=metadata)

    @pytest.fixture
    def good_request(self) -> BindingRequest:
        return BindingRequest("create", b"tea", {"fileName": "order.txt"})

    @pytest.fixture
    def bad_request(self) -> BindingRequest:
        return BindingRequest("get", metadata={"fileName": "nobody/made/it"})


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (b"a text", b"a text"),
        (b'"a text"', b"a text"),
        (b'"bm90IHRlYQ=="', b"not tea"),
        (b"bm90\nIHRlYQ==", b"not tea"),
        (b"abcd", b"i\xb7\x1d"),
        (b"null", b"\x9e\xe9e"),
        (b'{"a": 1}', b'{"a": 1}'),
        (b'"\xc3\xa9\\u00e9\\n"', "éé\n".encode()),
        (b"`raw \\n`", b"raw \\n"),
        (b'"half', b'"half'),
        (b"\xff\x00", b"\xff\x00"),
        (b"", b""),
    ],
)
async def test_data_are_stored_without_quotes_and_base64(
    tmp_path: Path, data: bytes, stored: bytes
) -> None:
    async with opened("localstorage", rootPath=str(tmp_path)) as files:
        answer = await files.invoke("create", data, {"fileName": "a/b/c.txt"})
        assert answer.data == b'{"fileName": "a/b/c.txt"}'
        assert (tmp_path / "a/b/c.txt").read_bytes() == stored
        assert (await files.invoke("get", b"", {"fileName": "a/b/c.txt"})).data == stored


async def test_a_file_without_a_name_gets_one(tmp_path: Path) -> None:
    async with opened("localstorage", rootPath=str(tmp_path)) as files:
        name = json.loads((await files.invoke("create", b"-", {})).data or b"")["fileName"]
    assert uuid.UUID(name).version == 4
    assert (tmp_path / name).read_bytes() == b"-"


async def test_files_are_listed_by_their_paths_and_deleted(tmp_path: Path) -> None:
    async with opened("localstorage", rootPath=str(tmp_path)) as files:
        assert (await files.invoke("list", b"", {})).data == b"null"
        for name in ("b", "a.txt", "a/2", "a/10", "é"):
            await files.invoke("create", b"-", {"fileName": name})
        found = json.loads((await files.invoke("list", b"", {})).data or b"")
        assert found == [str(tmp_path / name) for name in ("a/10", "a/2", "a.txt", "b", "é")]
        below = json.loads((await files.invoke("list", b"", {"fileName": "a"})).data or b"")
        assert below == [str(tmp_path / "a/10"), str(tmp_path / "a/2")]
        assert (await files.invoke("delete", b"", {"fileName": "a/2"})).data is None
        assert not (tmp_path / "a/2").exists()


@pytest.mark.parametrize(
    ("operation", "name", "text"),
    [
        ("get", "none", "file not found: {}/none"),
        ("get", "folder", "error reading file {}/folder"),
        ("delete", "none", "error deleting file {}/none"),
        ("delete", "folder", "error deleting file {}/folder"),
        ("list", "none", "directory not found: {}/none"),
        ("list", "file", "{}/file is a file"),
        ("create", "file/below", "error creating file {}/file/below"),
        ("create", "folder", "error creating file {}/folder"),
        ("get", "loop", "error getting absolute path for file loop"),
    ],
)
async def test_what_is_not_there_is_an_error(
    tmp_path: Path, operation: str, name: str, text: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("-")
    (tmp_path / "loop").symlink_to("loop")
    async with opened("localstorage", rootPath=str(tmp_path)) as files:
        with pytest.raises(BindingFailed, match=text.format(tmp_path)):
            await files.invoke(operation, b"", {"fileName": name})


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "/../../secret",
        "a/../../secret",
        "{outside}/secret",
        "up/secret",
        "up/../secret",
        "absolute",
        "far/secret",
    ],
)
async def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    root, secret = tmp_path / "root", tmp_path / "secret"
    root.mkdir()
    secret.write_text("a secret")
    (root / "up").symlink_to("..")
    (root / "absolute").symlink_to(secret)
    (root / "far").symlink_to(tmp_path)
    where = {"fileName": name.format(outside=tmp_path)}
    async with opened("localstorage", rootPath=str(root)) as files:
        with pytest.raises(BindingFailed, match="file not found"):
            await files.invoke("get", b"", where)
        with pytest.raises(BindingFailed, match="error deleting"):
            await files.invoke("delete", b"", where)
        await files.invoke("create", b"changed", where)
    assert secret.read_text() == "a secret"
    assert _names(tmp_path) == ["root", "secret"]


@pytest.mark.parametrize("operation", ["get", "delete"])
async def test_a_name_is_needed(tmp_path: Path, operation: str) -> None:
    async with opened("localstorage", rootPath=str(tmp_path)) as files:
        with pytest.raises(InvalidRequest, match="'fileName' is missing"):
            await files.invoke(operation, b"", {})
        with pytest.raises(InvalidRequest, match="NUL"):
            await files.invoke(operation, b"", {"fileName": "a\0b"})


async def test_operations_are_checked_in_daprs_words(tmp_path: Path) -> None:
    async with opened("localstorage", rootPath=str(tmp_path)) as files:
        with pytest.raises(InvalidRequest, match="operation field is missing from request"):
            await files.invoke("", b"", {})
        text = (
            "binding outside does not support operation burn. "
            "supported operations:create delete get list"
        )
        with pytest.raises(InvalidRequest, match=text):
            await files.invoke("burn", b"", {})


@pytest.mark.parametrize("root", ["/proc/files", "/sys", "/boot/x", "/var/run/secrets/files"])
async def test_folders_of_the_system_are_refused(root: str) -> None:
    with pytest.raises(ConfigurationError, match="the system's own"):
        async with opened("localstorage", rootPath=root):
            pass


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("-")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        async with opened("localstorage", rootPath=str(tmp_path / "file" / "below")):
            pass
