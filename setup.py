"""The C extension and the sources that are data; everything else is in pyproject.toml.

The extension is optional: where there is no C compiler, installing works and compiled functions
run on NumPy.
"""

import os
import sys
from glob import glob

import numpy
from setuptools import Extension, find_packages, setup

# Apple's compiler has no OpenMP of its own; kernels then run on one thread.
openmp = [] if sys.platform == "darwin" else ["-fopenmp"]

# Folders beside the package in the repository, inside it where it is installed.
data = {f"symtensor.{folder}": folder for folder in ("csrc", "cuda_kernels") if os.path.isdir(folder)}

setup(
    packages=[*find_packages(include=["symtensor", "symtensor.*"]), *data],
    package_dir=data,
    package_data=dict.fromkeys(data, ["**/*.c", "**/*.h", "**/*.cuh", "**/*.cpp"]),
    ext_modules=[Extension(
        "symtensor._core",
        sources=sorted(glob("csrc/*.c")),
        depends=sorted(glob("csrc/*.h")),
        include_dirs=[numpy.get_include()],
        extra_compile_args=["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wno-missing-field-initializers",
                            "-fvisibility=hidden", "-fno-math-errno", "-Werror=implicit-function-declaration", *openmp],
        extra_link_args=openmp,
        optional=True,
    )],
)
