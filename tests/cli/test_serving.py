"""`flowyard serve`: what it says, what it refuses, and how it stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from cli.conftest import FOLDER, Command, Server, serving


class _SlowCaller:
    """Sends a start whose body is not finished, and knows that the server waits for the rest."""

    def __init__(self, server: Server, instance_id: str) -> None:
        host, _, port = server.url.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=60)
        head = (
            f"POST /v1.0/workflows/dapr/echo/start?instanceID={instance_id} HTTP/1.1\r\n"
            f"Host: {host}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        assert b"100 Continue" in self._socket.recv(1000)
        self._socket.sendall(b"12")

    def finish(self) -> bytes:
        """Send the rest and return the answer."""
        self._socket.sendall(b"34")
        return self._socket.recv(1000)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def test_it_says_where_it_serves(components: Path) -> None:
    with serving(components, "--app", "errands:app") as server:
        assert httpx.get(f"{server.url}/v1.0/healthz").status_code == 204


def test_a_program_may_read_where_it_serves(components: Path) -> None:
    command = [sys.executable, "-c", "from flowyard.cli.main import main; main()", "serve"]
    options = ["--http-port", "0", "--grpc-port", "0", "--components", str(components), "--json"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["http"].startswith("http://127.0.0.1:")
        assert told["grpc"].startswith("127.0.0.1:")
        assert told["components"] == ["errands"]
        assert _hello(told["grpc"]) == b""
        process.terminate()
        assert process.stdout.read() == ""
        assert process.wait() == 0


def test_a_signal_lets_a_request_finish(components: Path) -> None:
    with serving(components, "--app", "errands:app") as server:
        caller = _SlowCaller(server, "late")
        server.process.terminate()
        assert "Stopping" in server.said()
        assert b" 202 Accepted" in caller.finish()
        caller.close()
        assert server.rest() == "Stopped.\n"
        assert server.process.wait() == 0
    with serving(components, "--app", "errands:app") as server:
        state = httpx.get(f"{server.url}/flowyard/v1/instances/late/wait", timeout=60).json()
        assert (state["status"], state["output"]) == ("COMPLETED", "1234")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_at_once(components: Path, number: signal.Signals) -> None:
    with serving(components, "--app", "errands:app") as server:
        caller = _SlowCaller(server, "never")
        server.process.send_signal(number)
        assert "Stopping" in server.said()
        server.process.send_signal(number)
        assert server.process.wait() == -number
        caller.close()


def test_a_request_that_never_ends_is_waited_for_within_the_limit(components: Path) -> None:
    with serving(components, "--app", "errands:app", "--drain", "1") as server:
        caller = _SlowCaller(server, "never")
        server.process.terminate()
        assert server.process.wait() == 0
        caller.close()


def test_a_thread_that_goes_on_is_left_behind_after_the_limit(components: Path) -> None:
    with serving(components, "--app", "errands:app", "--drain", "1") as server:
        start = f"{server.url}/v1.0/workflows/dapr/nap/start?instanceID=a"
        assert httpx.post(start, content="3600").status_code == 202
        while "asleep" not in httpx.get(f"{server.url}/v1.0/workflows/dapr/a").text:
            pass
        server.process.terminate()
        assert "Stopped.\n" in server.rest()
        assert server.process.wait(timeout=60) == 0


def test_an_activity_that_the_app_lacks_is_not_waited_for(components: Path) -> None:
    hours = ["--drain", "36000", "--no-grpc"]
    with serving(components, "--app", "errands:app", *hours) as server:
        start = f"{server.url}/v1.0/workflows/dapr/unserved/start?instanceID=a"
        assert httpx.post(start).status_code == 202
        while "not_there" not in httpx.get(f"{server.url}/flowyard/v1/instances/a").text:
            pass
        server.process.terminate()
        assert server.rest().endswith("Stopped.\n")
        assert server.process.wait() == 0


def test_a_signal_is_heard_under_load(components: Path) -> None:
    with serving(components, "--app", "errands:app") as server:
        httpx.post(f"{server.url}/v1.0/workflows/dapr/stop_in_a_crowd/start")
        assert server.rest().endswith("Stopped.\n")
        assert server.process.wait() == 0


def test_shutdown_over_http_is_a_clean_stop(components: Path) -> None:
    with serving(components, "--app", "errands:app") as server:
        assert httpx.post(f"{server.url}/v1.0/shutdown").status_code == 204
        assert server.rest().endswith("Stopped.\n")
        assert server.process.wait() == 0


def test_what_was_acknowledged_survives_a_kill(components: Path) -> None:
    with serving(components, "--app", "errands:app") as server:
        start = f"{server.url}/v1.0/workflows/dapr/gate/start?instanceID=kept"
        assert httpx.post(start).status_code == 202
        raised = httpx.post(f"{server.url}/v1.0/workflows/dapr/kept/raiseEvent/other", content="1")
        assert raised.status_code == 202
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    with serving(components, "--app", "errands:app") as server:
        httpx.post(f"{server.url}/v1.0/workflows/dapr/kept/raiseEvent/go", content="2")
        state = httpx.get(f"{server.url}/flowyard/v1/instances/kept/wait", timeout=60).json()
        assert (state["status"], state["output"]) == ("COMPLETED", "2")


def _hello(address: str, token: str | None = None, authorities: Path | None = None) -> bytes:
    """Call gRPC as a worker does first."""
    channel = (
        grpc.insecure_channel(address)
        if authorities is None
        else grpc.secure_channel(address, grpc.ssl_channel_credentials(authorities.read_bytes()))
    )
    with channel:
        hello: Any = channel.unary_unary(
            "/TaskHubSidecarService/Hello",
            request_serializer=lambda _: b"",
            response_deserializer=bytes,
        )
        metadata = (("dapr-api-token", token),) if token is not None else ()
        answer: bytes = hello(None, metadata=metadata, timeout=60, wait_for_ready=True)
        return answer


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "DAPR_API_TOKEN"),  # noqa: S104
        (("--components", "nothing.yaml"), "nothing.yaml"),
        (("--app", "errands"), "module:name"),
        (("--app", "nowhere:app"), "nowhere"),
        (("--app", "errands:nothing"), "does not exist"),
        (("--app", "errands:not_an_app"), "flowyard.App"),
        (("--worker-component", "nobody"), "nobody"),
        (("--tls-cert", "/no/certificate"), "TLS"),
        (("--tls-key", "/no/key"), "--tls-cert"),
        (("--tls-cert", __file__), "TLS"),
        (("--dapr", "127.0.0.1:3500"), "http://HOST:PORT"),
        (("--config", "/no/configuration"), "/no/configuration"),
    ],
)
def test_what_cannot_be_served_is_told_on_one_line(
    flowyard: Command, components: Path, arguments: tuple[str, ...], said: str
) -> None:
    free = ("--http-port", "0", "--grpc-port", "0", "--components", str(components))
    ended = flowyard("serve", *free, *arguments)
    assert ended.code in {3, 4}
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_an_app_that_cannot_be_imported_says_where(
    flowyard: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_errands.py").write_text("import flowyard\n\n1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    ended = flowyard("serve", "--app", "broken_errands:app")
    assert ended.code == 3
    assert "ZeroDivisionError" in ended.err
    assert "broken_errands.py:3" in ended.err


def test_the_token_guards_http_and_grpc(
    flowyard: Command, components: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "from flowyard.cli.main import main; main()", "serve"]
    options = ["--http-port", "0", "--grpc-port", "0", "--components", str(components), "--json"]
    token = "from-the-environment"  # noqa: S105
    with (
        (components.parent / "log").open("w+") as log,
        subprocess.Popen(
            [*command, *options, "--log-level", "debug"],
            env={**os.environ, "DAPR_API_TOKEN": token},
            cwd=FOLDER,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        monkeypatch.setenv("FLOWYARD_URL", told["http"])
        monkeypatch.delenv("DAPR_API_TOKEN", raising=False)
        refused = flowyard("list")
        assert refused.code == 7
        assert "DAPR_API_TOKEN" in refused.err
        for wrong in (None, "other"):
            with pytest.raises(grpc.RpcError) as denied:
                _hello(told["grpc"], wrong)
            assert denied.value.code() is grpc.StatusCode.UNAUTHENTICATED
        monkeypatch.setenv("DAPR_API_TOKEN", token)
        assert flowyard("list").code == 0
        assert _hello(told["grpc"], token) == b""
        process.terminate()
        assert process.wait() == 0
        log.seek(0)
        logged = log.read()
        assert " DEBUG " in logged
        assert token not in logged + json.dumps(told)


def test_a_workflow_without_a_worker_waits_where_one_may_come(
    flowyard: Command, components: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(components) as server:
        monkeypatch.setenv("FLOWYARD_URL", server.url)
        assert flowyard("start", "elsewhere", "--id", "a").code == 0
        assert flowyard("get", "a", "--json").json["status"] in {"PENDING", "RUNNING"}
        server.process.terminate()
        assert server.process.wait() == 0
    with serving(components, "--no-grpc", "--app", "errands:app") as server:
        monkeypatch.setenv("FLOWYARD_URL", server.url)
        assert flowyard("start", "elsewhere", "--id", "b").code == 4


def test_both_are_served_over_tls(
    flowyard: Command, components: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *subject, *files], check=True, capture_output=True)
    with serving(components, "--tls-cert", str(certificate), "--tls-key", str(key)) as server:
        assert server.url.startswith("https://")
        monkeypatch.setenv("FLOWYARD_URL", server.url)
        distrusted = flowyard("list")
        assert distrusted.code == 6
        assert "certificate" in distrusted.err
        assert flowyard("list", "--ca", str(certificate)).code == 0
        assert _hello(server.grpc, authorities=certificate) == b""
