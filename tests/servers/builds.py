"""The servers that live tests start: Temporal's, built with Go, and Conductor's, from Maven."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from servers.cache import Say, Unavailable, digest, kept, run, silently

_TEMPORAL = Path(__file__).parent / "temporal"
_CONDUCTOR = "3.32.3"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
_OLDEST_JAVA = 21


def temporal_server(say: Say = silently) -> Path:
    """Return the program of a Temporal server."""

    def make(folder: Path) -> None:
        if shutil.which("go") is None:
            raise Unavailable(
                "The Temporal server is built with Go, which is not on the path. "
                "Install Go 1.26.8 or newer, or name a running server with "
                "FLOWYARD_TEMPORAL_ADDRESS=host:port."
            )
        target = str(folder / "temporal-server")
        run("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", target, ".", folder=_TEMPORAL)

    return kept(f"servers/temporal-{digest(_TEMPORAL)}", make, say) / "temporal-server"


def conductor_server(say: Say = silently) -> list[str]:
    """Return the command of a Conductor server, without its settings."""

    def make(folder: Path) -> None:
        if shutil.which("mvn") is None:
            raise Unavailable(
                "The Conductor server is fetched with Maven, which is not on the path. "
                "Install it (on Debian and Ubuntu: apt install maven), or name a running server "
                "with FLOWYARD_CONDUCTOR_URL."
            )
        artifact = f"-Dartifact=org.conductoross:conductor-server:{_CONDUCTOR}:jar:boot"
        run("mvn", "--quiet", "--batch-mode", _COPY, artifact, f"-DoutputDirectory={folder}")

    # Before it is fetched: without Java it would be of no use.
    java = java_for_conductor(installed_javas())
    folder = kept(f"servers/conductor-{_CONDUCTOR}", make, say)
    memory = ("-Xmx1g", "-XX:+UseSerialGC")
    return [java, *memory, "-jar", str(folder / f"conductor-server-{_CONDUCTOR}-boot.jar")]


def java_for_conductor(javas: Iterable[str]) -> str:
    """Return a Java that Conductor runs on."""
    for java in javas:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
        version = re.search(r'version "(\d+)', done.stderr)
        if done.returncode == 0 and version and int(version[1]) >= _OLDEST_JAVA:
            return java
    raise Unavailable(
        f"The Conductor server needs Java {_OLDEST_JAVA} or newer; none was found in JAVA_HOME, on "
        "the path, or under /usr/lib/jvm. Install one, or name a running server with "
        "FLOWYARD_CONDUCTOR_URL."
    )


def installed_javas() -> Iterator[str]:
    """Return each Java that is installed, wherever that is usual."""
    home = os.environ.get("JAVA_HOME")
    if home and (named := shutil.which("java", path=str(Path(home) / "bin"))):
        yield named
    if found := shutil.which("java"):
        yield found
    for folder in ("usr/lib/jvm/*", "Library/Java/JavaVirtualMachines/*/Contents/Home"):
        yield from sorted(str(path) for path in Path("/").glob(f"{folder}/bin/java"))
