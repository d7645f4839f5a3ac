"""Sealed bytes: a file's body with a manifest and a digest behind it.

A loader of shared objects ignores what follows the last section, so a sealed shared object is
still a shared object. Cut short, overwritten or half written, it no longer opens.

>>> data = seal(b"body", "kind example")
>>> unseal(data)
(b'body', 'kind example')
>>> unseal(data[:-1]) is None
True
>>> unseal(b"x" + data[1:]) is None
True
"""

from __future__ import annotations

# Straight from the interpreter where it is there: hashlib loads OpenSSL, ten milliseconds of a warm start.
try:
    from _blake2 import blake2b
except ImportError:  # an interpreter that builds it elsewhere
    from hashlib import blake2b

__all__ = ["blake2b", "digest", "seal", "unseal"]

_MAGIC = b"symtensor sealed"
_LENGTH = 8
_DIGEST = 16
_TRAILER = _LENGTH + _DIGEST + len(_MAGIC)


def digest(*parts: str) -> str:
    """Sixteen hexadecimal digits for texts, each told apart from its neighbours by its length."""
    state = blake2b(digest_size=8)
    for part in parts:
        data = part.encode()
        state.update(b"%d:" % len(data))
        state.update(data)
    return state.hexdigest()


def seal(body: bytes, manifest: str) -> bytes:
    """The body, its manifest, the manifest's length, the digest of all these, a magic word."""
    note = manifest.encode()
    content = body + note + len(note).to_bytes(_LENGTH, "little")
    return content + blake2b(content, digest_size=_DIGEST).digest() + _MAGIC


def unseal(data: bytes) -> tuple[bytes, str] | None:
    """The body and the manifest, or None where the data is not what `seal` made."""
    if len(data) < _TRAILER or not data.endswith(_MAGIC):
        return None
    content = memoryview(data)[:-_DIGEST - len(_MAGIC)]
    if blake2b(content, digest_size=_DIGEST).digest() != data[len(content):len(content) + _DIGEST]:
        return None
    note = int.from_bytes(content[-_LENGTH:], "little")
    body = len(content) - _LENGTH - note
    return data[:body], data[body:body + note].decode()
