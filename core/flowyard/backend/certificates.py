"""Certificates as settings give them: PEM text, or the path of a file with it."""

from __future__ import annotations

import ssl
from pathlib import Path


def client_context(authorities: str, certificate: str, key: str) -> ssl.SSLContext | bool:
    """Return how a client trusts servers, and how they know it.

    Args:
        authorities: The certificate authorities that are trusted besides the usual ones, as PEM
            text or as the path of a file; empty for none.
        certificate: The client's own certificate, in the same way; empty for none.
        key: The key of the certificate, in the same way.

    Returns:
        The context, or True, the usual way, if nothing is given.

    Raises:
        OSError: If a file cannot be read, or what is in it cannot be used.
        ValueError: If what is given is no text of the kind.
    """
    if not (authorities or certificate):
        return True
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(cadata=_pem(authorities))
    if certificate:
        from tempfile import NamedTemporaryFile  # lazy: hardly ever needed

        # The library reads files alone; this one can be read by nobody else, and is soon gone.
        with NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(f"{_pem(certificate)}\n{_pem(key)}\n")
            file.flush()
            # A key under a passphrase would have the library ask for it on the terminal.
            context.load_cert_chain(file.name, password=lambda: "")
    return context


def _pem(given: str) -> str:
    return given if "-----BEGIN " in given else Path(given).read_text()
