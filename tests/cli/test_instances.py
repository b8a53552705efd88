"""The commands that manage instances on a server."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from cli.conftest import Command
from flowyard.backend.history import EventRaised
from flowyard.cli import output

pytestmark = pytest.mark.usefixtures("server")


def test_a_workflow_is_started_and_waited_for(flowyard: Command) -> None:
    started = flowyard("start", "echo", "--input", '{"x": 1}', "--id", "echo-1")
    assert (started.code, started.out) == (0, "echo-1\n")
    watched = flowyard("watch", "echo-1", "--json")
    assert watched.code == 0
    assert json.loads(watched.json["output"]) == {"x": 1}
    at_once = flowyard("start", "echo", "-i", "2", "--wait", "--json")
    assert (at_once.code, at_once.json["status"], at_once.json["output"]) == (0, "COMPLETED", "2")


def test_an_input_comes_from_a_file_or_from_stdin(
    flowyard: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "input.json").write_text('["ä"]')
    read = flowyard("start", "echo", "--input", f"@{tmp_path / 'input.json'}", "--wait", "--json")
    assert json.loads(read.json["output"]) == ["ä"]
    monkeypatch.setattr("sys.stdin", io.StringIO("[1]"))
    piped = flowyard("start", "echo", "--input", "-", "--wait", "--json")
    assert piped.json["output"] == "[1]"


def test_the_whole_life_of_an_instance(flowyard: Command) -> None:
    assert flowyard("start", "gate", "--id", "life", "--json").json == {"instanceID": "life"}
    assert flowyard("pause", "life", "--reason", "lunch").out == "Paused.\n"
    assert flowyard("pause", "life", "--json").json == {"changed": False}
    assert "SUSPENDED" in flowyard("get", "life").out
    assert flowyard("resume", "life").out == "Resumed.\n"
    assert "at the [bold]gate" in flowyard("get", "life").out
    assert flowyard("raise", "life", "go", "--data", '"yes"').out == "Raised.\n"
    assert '"yes"' in flowyard("watch", "life").out
    events = flowyard("history", "life", "--json").json["events"]
    assert events[1]["workflow"] == "gate"
    lines = flowyard("history", "life").out.splitlines()
    assert len(lines) == len(events)
    assert "reason=lunch" in "".join(lines)
    assert flowyard("terminate", "life").out == "Nothing to terminate: the instance is closed.\n"
    assert flowyard("purge", "life").out == "Removed 1 instance.\n"
    assert flowyard("get", "life").code == 4


def test_an_instance_is_terminated_with_an_output(flowyard: Command) -> None:
    flowyard("start", "gate", "--id", "ended")
    assert flowyard("terminate", "ended", "--output", '{"why": "late"}').code == 0
    state = flowyard("get", "ended", "--json").json
    assert (state["status"], json.loads(state["output"])) == ("TERMINATED", {"why": "late"})


def test_a_closed_instance_is_run_again_from_an_event(flowyard: Command) -> None:
    flowyard("start", "call", "--id", "source", "--input", "4", "--wait")
    assert flowyard("rerun", "source", "1", "--id", "copy").out == "copy\n"
    assert flowyard("watch", "copy", "--json").json["output"] == "8"
    copy = flowyard("rerun", "source", "1", "--input", "5", "--json").json["instanceID"]
    assert flowyard("watch", copy, "--json").json["output"] == "10"
    assert flowyard("get", "source", "--json").json["output"] == "8"
    unknown = flowyard("rerun", "source", "7")
    assert (unknown.code, unknown.out) == (4, "")
    flowyard("start", "gate", "--id", "source-open")
    assert flowyard("rerun", "source-open", "1").code == 5


def test_instances_are_listed_page_by_page(flowyard: Command) -> None:
    for number in range(3):
        flowyard("start", "echo", "--id", f"listed-{number}", "--wait")
    flowyard("start", "fail", "--id", "listed-failed", "--wait")
    page = flowyard("list", "--prefix", "listed-", "--limit", "2", "--json").json
    assert [item["instanceID"] for item in page["instances"]] == ["listed-failed", "listed-2"]
    rest = flowyard("list", "--prefix", "listed-", "--after", page["continuationToken"], "--json")
    assert [item["instanceID"] for item in rest.json["instances"]] == ["listed-1", "listed-0"]
    failed = flowyard("list", "--status", "failed", "--workflow", "fail", "--prefix", "listed-")
    assert [line.split()[0] for line in failed.out.splitlines()] == ["INSTANCE", "listed-failed"]
    assert "--after" in flowyard("list", "--prefix", "listed-", "--limit", "1").out
    assert flowyard("list", "--created-from", "2100-01-01", "--json").json["instances"] == []


def test_a_failed_workflow_is_a_failed_command(flowyard: Command) -> None:
    for ended in (
        flowyard("start", "fail", "--id", "failed", "--wait"),
        flowyard("watch", "failed"),
    ):
        assert ended.code == 1
        assert "ValueError: it rains" in ended.out
        assert "Traceback (most recent call last)" in ended.out
        assert 'raise ValueError("it rains")' in ended.out
    assert flowyard("get", "failed").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("get", "unknown"), 4, "no such instance exists: 'unknown'"),
        (("watch", "unknown"), 4, "no such instance exists"),
        (("raise", "unknown", "go"), 4, "no such instance exists"),
        (("get", "x", "--component", "errand"), 4, "Did you mean 'errands'?"),
        (("start", "echo", "--input", "{"), 3, "--input is not JSON"),
        (("start", "echo", "--input", "word"), 3, "quotes"),
        (("start", "echo", "--input", "@/no/such/file"), 3, "cannot be read"),
        (("start", "echo", "--id", "a b"), 3, "instance ID 'a b' is not valid"),
        (("start", "post", "--input", "{}"), 3, "weight"),
        (("start", "echo", "--option", "x"), 3, "NAME=VALUE"),
        (("start", "echo", "--timeout", "1"), 3, "--timeout limits --wait"),
        (("get", "x", "--url", "nonsense"), 3, "nonsense"),
        (("get", "x", "--url", "http://127.0.0.1:9"), 6, "flowyard serve"),
        (("list", "--limit", "0"), 2, "--limit"),
        (("nothing",), 2, "nothing"),
    ],
)
def test_a_mistake_is_told_on_one_line(
    flowyard: Command, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = flowyard(*arguments)
    assert ended.code == code
    assert said in ended.err
    assert ended.out == ""
    if code != 2:  # the usage is shown besides
        assert ended.err.count("\n") == 1


def test_a_conflict_has_a_code_of_its_own(flowyard: Command) -> None:
    flowyard("start", "gate", "--id", "busy")
    assert flowyard("start", "gate", "--id", "busy").code == 5
    assert flowyard("purge", "busy").code == 5
    flowyard("start", "echo", "--id", "closed", "--wait")
    assert flowyard("start", "echo", "--id", "closed", "--new").code == 5
    assert flowyard("start", "echo", "--id", "closed").code == 0


def test_waiting_may_be_limited(flowyard: Command) -> None:
    flowyard("start", "gate", "--id", "slow")
    for command in (("watch", "slow"), ("start", "gate", "--wait")):
        ended = flowyard(*command, "--timeout", "0.1")
        assert ended.code == 8
        assert ended.err.count("\n") == 1


def test_a_start_may_be_put_off(flowyard: Command) -> None:
    flowyard("start", "echo", "--id", "later", "--at", "2100-01-01T00:00:00")
    assert flowyard("get", "later", "--json").json["status"] == "PENDING"


def test_no_name_of_a_stranger_steers_the_terminal(flowyard: Command) -> None:
    name = "wipe\x1b[2J\x9b1A"
    assert flowyard("start", name, "--id", "steered").code == 0
    for command in ("list --prefix steered", "get steered"):
        for arguments in (command.split(), [*command.split(), "--json"]):
            ended = flowyard(*arguments)
            assert "wipe" in ended.out
            assert not {"\x1b", "\x9b"} & {*ended.out}
    assert flowyard("get", "steered", "--json").json["workflow"] == name
    unknown = flowyard("get", "a\x1b[2Jb")
    assert (unknown.code, "\x1b" in unknown.err) == (4, False)


def test_no_event_of_a_stranger_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_history([EventRaised("go\x1b[2J", '{"a":\n"\x9b1A"}')])
    line = capsys.readouterr().out
    assert r"name=go\x1b[2J  input=" in line
    assert r"\n" in line
    assert r"\x9b1A" in line
    assert line.count("\n") == 1
    assert not {"\x1b", "\x9b"} & {*line}


@pytest.mark.parametrize(
    "arguments", [("get", "\udcff"), ("start", "a\udcffb"), ("list", "--url", "\udcff")]
)
def test_an_argument_that_is_not_utf_8_is_told_on_one_line(
    flowyard: Command, arguments: tuple[str, ...]
) -> None:
    ended = flowyard(*arguments)
    assert ended.code == 2
    assert ended.err == f"flowyard: argument {len(arguments)} is not UTF-8 text\n"


@pytest.mark.parametrize("port", ["99999", "0", "-1", "x"])
def test_a_port_that_cannot_be_is_told_on_one_line(flowyard: Command, port: str) -> None:
    ended = flowyard("list", "--url", f"http://127.0.0.1:{port}")
    assert ended.code == 3
    assert "is not a URL" in ended.err
    assert ended.err.count("\n") == 1


def test_a_state_is_printed_without_a_terminal_as_rich_prints_it(
    flowyard: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    flowyard("start", "gate", "--id", "plain")
    flowyard("start", "echo", "--id", "empty", "--input", '""', "--wait")
    plain = [flowyard("get", instance_id).out for instance_id in ("plain", "empty")]
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "dumb")
    assert plain == [flowyard("get", instance_id).out for instance_id in ("plain", "empty")]
