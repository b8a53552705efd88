"""What live tests need is made once, whole or not at all; where it cannot be had, they say so."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from servers.builds import java_for_conductor, temporal_server
from servers.cache import Unavailable, digest, kept
from servers.fixtures import required

MAKER = Path(__file__).parent / "programs" / "maker.py"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Is where everything is kept during the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "flowyard"


def test_what_two_processes_want_is_made_by_one(cache: Path) -> None:
    makers = [maker() for _ in range(4)]
    for thread in makers:
        assert thread.stdout is not None
        assert thread.stdout.readline() == "wanted\n"
    # To all at once: whoever makes it is not known.
    with ThreadPoolExecutor() as threads:
        said = [output for output, _ in threads.map(lambda item: item.communicate("\n"), makers)]
    assert [thread.returncode for thread in makers] == [0] * len(makers)
    assert sorted(said) == ["", "", "", "made\n"]
    assert (cache / "thing" / "maker").read_text() in {str(thread.pid) for thread in makers}


def test_what_was_not_made_is_made_anew(cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise Unavailable("the network is down")

    with pytest.raises(Unavailable):
        kept("thing", fail)
    folder = kept("thing", lambda folder: (folder / "whole").touch())
    assert folder == cache / "thing"
    assert [file.name for file in folder.iterdir()] == ["whole"]


def test_what_is_there_is_not_made_again(cache: Path) -> None:
    said: list[str] = []
    folder = kept("thing", lambda folder: (folder / "whole").touch(), said.append)
    assert [str(folder) in line for line in said] == [True]

    def again(_: Path) -> None:
        raise AssertionError("made again")

    assert kept("thing", again, said.append) == folder
    assert len(said) == 1


def test_a_digest_changes_with_a_file_and_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "main.go"
    file.write_text("package main")
    first = digest(tmp_path)
    file.write_text("package other")
    second = digest(tmp_path)
    file.rename(tmp_path / "other.go")
    assert len({first, second, digest(tmp_path)}) == 3


def test_without_go_the_message_says_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(Unavailable, match=r"Install Go .* FLOWYARD_TEMPORAL_ADDRESS=host:port"):
        temporal_server()


def test_a_java_that_is_new_enough_is_found_behind_an_old_one(tmp_path: Path) -> None:
    javas = [java_of(tmp_path, version) for version in ("1.8.0_402", "17.0.15", "25.0.1", "21.0.2")]
    assert java_for_conductor(javas) == javas[2]


def test_without_a_java_that_is_new_enough_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"needs Java 21 or newer.* FLOWYARD_CONDUCTOR_URL"):
        java_for_conductor([java_of(tmp_path, "17.0.15")])


def test_a_test_without_what_it_needs_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWYARD_REQUIRE_LIVE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Go"):
        required(nothing)


def test_a_test_without_what_it_needs_fails_where_all_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOWYARD_REQUIRE_LIVE", "1")
    with pytest.raises(pytest.fail.Exception, match="no Go"):
        required(nothing)


def maker() -> subprocess.Popen[str]:
    """Start a process that wants the thing."""
    command = [sys.executable, str(MAKER)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def nothing() -> None:
    """Find nothing installed."""
    raise Unavailable("no Go")


def java_of(folder: Path, version: str) -> str:
    """Make what answers as a Java of this version does."""
    java = folder / version
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    java.chmod(0o755)
    return str(java)
