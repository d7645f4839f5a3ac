"""Every public name says what it is and shows how it is used, in an example that is true."""

import doctest
import inspect
from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.ops.elementwise import Elementwise, primitives

MODULES = ["symtensor", "symtensor.gradient", "symtensor.graph", "symtensor.printing", "symtensor.pictures",
           "symtensor.sandbox.rng_mrg", "symtensor.saving", "symtensor.sparse", "symtensor.tensor",
           "symtensor.typed_list",
           *(f"symtensor.tensor.{module.name}" for module in iter_modules(T.__path__)),
           *(f"symtensor.tensor.nnet.{module.name}" for module in iter_modules(T.nnet.__path__)),
           *(f"symtensor.tensor.signal.{module.name}" for module in iter_modules(T.signal.__path__))]
INNER = ("abstract_conv", "arguments", "conv_shapes", "convolution", "unshared")
"""Modules that the vocabulary is made from: of these, what `symtensor.tensor.nnet` and its like make public counts."""
EXCUSED = {"ExternalCOp": "needs a file of C; COp shows the same"}


def public(module):
    """The names of a module that are made for users, and what they stand for."""
    for name in getattr(module, "__all__", ()):
        member = getattr(module, name)
        if callable(member) and getattr(member, "__module__", "symtensor").startswith("symtensor"):
            yield name, member


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_shows_how_it_is_used(module):
    if module.rpartition(".")[2] in INNER:
        return
    for name, member in public(import_module(module)):
        if name not in EXCUSED:
            doc = inspect.getdoc(member)
            assert doc and doc.strip() and ">>> " in doc, f"{module}.{name}"


def test_excuses_are_needed():
    without = {name for module in MODULES for name, member in public(import_module(module))
               if ">>> " not in (inspect.getdoc(member) or "")}
    assert set(EXCUSED) <= without


@pytest.mark.parametrize("name", sorted(name for name, op in primitives.items() if op is getattr(T, name, None)))
def test_examples_of_elementwise_ops(name):
    op = primitives[name]
    parsed = doctest.DocTestParser().get_doctest(op.__doc__, {name: op, "st": st, "T": T, "np": np}, name, None, 0)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    assert isinstance(op, Elementwise) and parsed.examples
    if not any("import" in example.source or "grad" in example.source for example in parsed.examples):
        assert runner.run(parsed).failed == 0
