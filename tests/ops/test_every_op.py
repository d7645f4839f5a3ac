"""Every op there is, checked by the registry: nobody writes these tests by hand."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import symtensor.ops
from symtensor.codegen.toolchain import toolchain
from symtensor.ir.node import Op
from symtensor.ops import random, scalar
from symtensor.ops.disk import LoadFromDisk
from symtensor.ops.effects import Raise
from symtensor.ops.elementwise import Elementwise, primitives
from symtensor.ops.python import PythonFunction
from symtensor.ops.size import SizeValue
from symtensor.testing.check_op import check_op

for module in pkgutil.iter_modules(symtensor.ops.__path__, "symtensor.ops."):
    importlib.import_module(module.name)

ELEMENTWISE = [op for name, op in primitives.items() if op.definition.body is None]
OTHERS = sorted((cls for cls in Op.__subclasses__() + Elementwise.__subclasses__()
                 if cls.__module__.startswith("symtensor.ops.")
                 # What these mean is given by the user's function, the call's sizes, a file; `Raise` has no value.
                 and cls not in (Elementwise, PythonFunction, SizeValue, LoadFromDisk, Raise)),
                key=lambda cls: cls.__name__)


@pytest.mark.parametrize("op", ELEMENTWISE, ids=str)
def test_elementwise(op):
    report = check_op(op, derivatives=op is not scalar.stop_gradient)
    assert report.examples > 5
    assert not report.skipped or toolchain() is None


@pytest.mark.parametrize("op", OTHERS, ids=lambda cls: cls.__name__)
def test_others(op):
    report = check_op(op)
    assert report.examples > 1
    assert not report.skipped or toolchain() is None


def test_every_elementwise_op_is_found_by_its_name_in_a_process_that_imports_the_package_alone():
    code = "import symtensor.ops; from symtensor.ops.elementwise import primitives; print(*primitives)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    composed = {op.name for op in primitives.values()
                if op.definition.body is not None and op.definition.body.__module__ == random.__name__}
    assert {op.name for op in ELEMENTWISE} | composed == set(found)
    assert len(composed) == 3
