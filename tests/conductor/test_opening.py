"""What cannot be opened says so: which component, which address, and why."""

from __future__ import annotations

import multiprocessing
import socket
import subprocess
import sys
import traceback
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from conductor.proxy import KEY, SECRET, proxied
from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard.errors import BackendUnavailable, ConfigurationError, FlowyardError, InstanceNotFound
from servers.process import free_port
from temporal.certificates import make_authority, make_certificate


def spec_of(**metadata: str) -> ComponentSpec:
    return ComponentSpec("orders", "workflow.conductor", metadata=metadata)


async def refusal(**metadata: str) -> FlowyardError:
    """Return the error that opening ends with; no line of it may show the secret."""
    with pytest.raises(FlowyardError) as caught:
        async with Runtime.open([spec_of(**metadata)]):
            pass
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return caught.value


async def can_be_used(**metadata: str) -> bool:
    async with Runtime.open([spec_of(**metadata)]) as runtime:
        with pytest.raises(InstanceNotFound):
            await runtime.get("nobody")
    return True


async def test_nobody_is_at_the_address() -> None:
    url = f"http://127.0.0.1:{free_port()}/api"
    error = await refusal(url=url)
    assert isinstance(error, BackendUnavailable)
    assert f"component 'orders': Conductor at {url} cannot be reached" in str(error)
    assert "correct the key 'url'" in str(error)


async def test_a_server_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        error = await refusal(url=url, connectTimeout="0.5")
    assert isinstance(error, BackendUnavailable)
    assert f"Conductor at {url} did not answer within 0.5 s (connectTimeout)" in str(error)


async def test_an_address_that_is_not_the_api(conductor_server: str) -> None:
    error = await refusal(url=f"{conductor_server}/nowhere")
    assert isinstance(error, ConfigurationError)
    assert "is not the API of a Conductor server" in str(error)
    assert "Correct the key 'url'" in str(error)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"url": "localhost:8080"}, "key 'url' cannot be used: must be a URL"),
        ({"uri": "http://localhost"}, "key 'uri' is not known. Did you mean 'url'"),
        ({"keyId": "mine"}, "'keyId' and 'keySecret' belong together"),
        ({"taskQueue": "a~b"}, "key 'taskQueue' cannot be used"),
        ({"tlsServerCa": "/nowhere.pem"}, "key 'tlsServerCa' is neither PEM text nor the path"),
    ],
)
async def test_settings_that_make_no_sense(metadata: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        async with Runtime.open([spec_of(**metadata)]):
            pass


async def test_a_key_that_is_let_in_and_one_that_is_not(conductor_server: str) -> None:
    async with proxied(conductor_server, wants_token=True) as url:
        assert await can_be_used(url=url, keyId=KEY, keySecret=SECRET)
        error = await refusal(url=url, keyId="stranger", keySecret=SECRET)
        assert isinstance(error, ConfigurationError)
        assert f"Conductor at {url} refuses access" in str(error)
        assert "Check keyId, keySecret" in str(error)
        assert isinstance(await refusal(url=url), ConfigurationError)


async def test_a_token_that_has_expired_is_renewed(conductor_server: str) -> None:
    async with proxied(conductor_server, wants_token=True) as url:
        spec = spec_of(url=url, keyId=KEY, keySecret=SECRET)
        async with (
            Runtime.open([spec]) as runtime,
            httpx.AsyncClient() as client,
        ):
            (await client.post(f"{url.removesuffix('/api')}/expire")).raise_for_status()
            with pytest.raises(InstanceNotFound):
                await runtime.get("nobody")


async def test_tls(conductor_server: str, tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "authority")
    own = make_certificate(tmp_path, "server", authority, "localhost")
    stranger = make_authority(tmp_path, "stranger")
    async with proxied(conductor_server, certificate=own) as url:
        assert await can_be_used(url=url, tlsServerCa=str(authority.file))
        assert await can_be_used(url=url, tlsServerCa=authority.file.read_text())
        assert await can_be_used(url=url, tlsVerify="false")
        error = await refusal(url=url, tlsServerCa=str(stranger.file))
        assert isinstance(error, ConfigurationError)
        assert f"Conductor at {url} cannot be used: its certificate is not trusted" in str(error)
    error = await refusal(url=f"{conductor_server}/api".replace("http:", "https:"))
    assert isinstance(error, ConfigurationError)
    assert "it does not speak TLS" in str(error)


async def test_a_user_in_the_address_is_not_shown() -> None:
    error = await refusal(url=f"http://me:{SECRET}@127.0.0.1:{free_port()}/api")
    assert isinstance(error, BackendUnavailable)


def test_the_start_method_of_the_process_stays_what_it_was() -> None:
    code = (
        "import multiprocessing, flowyard_conductor.plugin\n"
        "print(multiprocessing.get_start_method(allow_none=True))\n"
        "multiprocessing.set_start_method('fork')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
    assert "fork" in multiprocessing.get_all_start_methods()


async def test_calls_fail_while_the_server_is_away_and_work_when_it_is_back(
    conductor_server: str,
) -> None:
    port = free_port()
    async with AsyncExitStack() as opened:
        async with proxied(conductor_server, port=port) as url:
            runtime = await opened.enter_async_context(Runtime.open([spec_of(url=url)]))
        with pytest.raises(BackendUnavailable, match=r"component 'orders'.*did not answer"):
            await runtime.get("nobody")
        async with proxied(conductor_server, port=port):
            with pytest.raises(InstanceNotFound):
                await runtime.get("nobody")
            await opened.aclose()
