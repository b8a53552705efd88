"""Certificates for tests, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    file: Path
    key: Path


def make_authority(folder: Path, name: str) -> Certificate:
    """Make a CA of its own."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "1", "-subj", f"/CN={name}", "-keyout", made.key, "-out", made.file),
        *("-addext", "basicConstraints=critical,CA:TRUE"),
    )
    return made


def make_certificate(folder: Path, name: str, authority: Certificate, host: str) -> Certificate:
    """Make a certificate for a host, signed by a CA."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n")
    _openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", f"/CN={host}", "-keyout", made.key, "-out", request),
    )
    _openssl(
        *("x509", "-req", "-days", "1", "-in", request, "-out", made.file),
        *("-CA", authority.file, "-CAkey", authority.key, "-CAcreateserial"),
        *("-extfile", extensions),
    )
    return made


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
