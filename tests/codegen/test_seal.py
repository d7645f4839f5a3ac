"""Sealed bytes open whole or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from symtensor.codegen.seal import digest, seal, unseal


@given(st.binary(max_size=300), st.text(max_size=50))
def test_round_trip(body: bytes, manifest: str) -> None:
    assert unseal(seal(body, manifest)) == (body, manifest)


@given(st.binary(max_size=60), st.text(max_size=20), st.data())
def test_any_change_is_noticed(body: bytes, manifest: str, data: st.DataObject) -> None:
    sealed = seal(body, manifest)
    place = data.draw(st.integers(0, len(sealed) - 1))
    flipped = data.draw(st.integers(1, 255))
    assert unseal(sealed[:place] + bytes([sealed[place] ^ flipped]) + sealed[place + 1:]) is None
    assert unseal(sealed[:place]) is None
    assert unseal(sealed + b"x") is None


def test_bytes_that_were_never_sealed() -> None:
    assert unseal(b"") is None
    assert unseal(b"\x7fELF" + bytes(1000)) is None


def test_digest_tells_neighbours_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a", "") != digest("a")
    assert digest("1:a") != digest("a")


def test_digest_is_the_same_in_every_process() -> None:
    assert digest("kernel", "text") == "7a9d7c59061028fe"
