"""The key that both ends have: a private key with its own certificate, which each asks for.

TLS 1.3 (RFC 8446) then proves to both that the other has the key, and keeps what they say to
themselves. Nobody else's certificate is taken, whoever signed it.
"""

from __future__ import annotations

import os
import ssl
import stat
from datetime import datetime, timezone
from pathlib import Path

from nmcompile.errors import (
    FileKindError,
    FileWriteError,
    KeyFileError,
    OptionsError,
    PackageError,
)
from nmcompile.files import require_file, require_place, writing

KEY_VARIABLE = "NMC_KEY_FILE"
OWN = "nmc"  # name in the certificate; nobody asks for another one
INSTALL = "Type pip install '.[serve]' in nmcompile's folder."
MAKE_ONE = "Make one with nmc serve --new-key FILE, and bring it to both machines."
GIVE = "Give --key-file FILE to nmc serve, --device-option key=FILE to nmc validate."


def new_key(path: Path) -> None:
    """Write a new key to `path`, which only its owner may read; never over another file."""
    require_place(path)
    made = _pem()
    with writing(path):
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise FileWriteError(str(path), "exists already", "Name another file.") from None
        with os.fdopen(file, "wb") as key:
            key.write(made)


def _pem() -> bytes:
    """A private key and its certificate, which does not end: who has the key is let in."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ModuleNotFoundError as error:
        raise PackageError("--new-key", f"needs {error.name}", INSTALL) from error

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, OWN)])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(private.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=timezone.utc))
        .not_valid_after(datetime(9999, 12, 31, tzinfo=timezone.utc))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256()))
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()) + certificate.public_bytes(serialization.Encoding.PEM)


def key_file(given: str | None) -> Path:
    """The key file that the user gave, or that the environment names."""
    path = given or os.environ.get(KEY_VARIABLE)
    if not path:
        raise OptionsError("key", f"none was given, and {KEY_VARIABLE} names none",
                           f"{GIVE} {MAKE_ONE}")
    return Path(path)


def server_context(key: Path) -> ssl.SSLContext:
    """TLS for a server that lets in who has the key in the file `key`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # no session is taken up again
    return _with_key(context, key)


def client_context(key: Path) -> ssl.SSLContext:
    """TLS for a client that talks to who has the key in the file `key`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate itself is compared, wherever the server is
    return _with_key(context, key)


def _with_key(context: ssl.SSLContext, key: Path) -> ssl.SSLContext:
    open_to = stat.S_IMODE(require_file(key).stat().st_mode) & 0o077
    if open_to:
        raise KeyFileError(str(key), "others may read or write this key", f"Type chmod 600 {key}")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(key)
        context.load_verify_locations(key)
    except (OSError, ValueError) as error:
        raise FileKindError(str(key), "holds no key of nmc serve", MAKE_ONE) from error
    return context
