"""Certificates as settings give them: PEM text, or the path of a file with it."""

from __future__ import annotations

import ssl
from pathlib import Path
from tempfile import NamedTemporaryFile


def client_context(authorities: str, certificate: str, key: str) -> ssl.SSLContext | bool:
    """Return how a client trusts and is trusted; True, the usual way, where nothing is given.

    Raises `OSError` or `ValueError` where they cannot be used.
    """
    if not (authorities or certificate):
        return True
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(cadata=_pem(authorities))
    if certificate:
        # The library reads files alone; this one can be read by nobody else, and is soon gone.
        with NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(f"{_pem(certificate)}\n{_pem(key)}\n")
            file.flush()
            # A key under a passphrase would have the library ask for it on the terminal.
            context.load_cert_chain(file.name, password=lambda: "")
    return context


def _pem(given: str) -> str:
    return given if "-----BEGIN " in given else Path(given).read_text()
