"""The signed envelope: who said which bytes."""

import hashlib

from . import ed25519
from .fault import Fault, of_format
from .messages import read
from .wire import FormatError


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def holds(domain, charter, payload, signer, signature):
    """Whether a signature covers `payload` under this domain and charter hash."""
    message = f"comity/{domain}/v1".encode() + b"\0" + charter + payload
    return ed25519.verify(signer, message, signature)


def opened(envelope, kind, domain, charter, code, path):
    """The message in an envelope, of any signer; a Fault with `code` if it does not hold."""
    if envelope.domain != f"comity/{domain}/v1":
        raise Fault(code, path, f"domain mismatch: expected comity/{domain}/v1")
    if not holds(domain, charter, envelope.payload, envelope.signer, envelope.signature):
        raise Fault(code, path, f"signature of {envelope.signer.hex()} does not hold")
    try:
        return read(kind, envelope.payload)
    except FormatError as error:
        raise of_format(error, path) from None
