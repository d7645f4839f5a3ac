# Everything a fresh clone needs: Python 3.10 or later, gcc (or clang) and pip.
#   make demo     train a network on real digits; under a minute, and as much to install (MODEL=cnn: a convolutional one)
#   make test     the test suite and the examples in docstrings; builds pycuda, a minute, for tests of CUDA without a GPU
#   make sanitize the runtime and its kernels with gcc's address and undefined-behaviour sanitizers; two minutes
#   make cuda-guard cuda-checked  tests of kernels for CUDA in the modes of the software driver that find what is beyond
#                 memory, and races; a quarter of an hour each
#   make lint types   style and type checks
#   make bench    symtensor beside PyTorch, JAX, PyTensor and NumPy, on this machine (installs about 1 GB)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
IN = .venv/bin
BENCH = .venv-bench/bin
SOURCES = pyproject.toml setup.py $(wildcard csrc/*)
WORKERS ?= 2
MODEL ?= mlp

.PHONY: demo test cuda-guard cuda-checked sanitize pycuda-suite lasagne-suite theano-suite lint types bench clean

demo: .venv/.demo
	$(IN)/python examples/mnist_$(MODEL).py

test: .venv/.test .venv/.pycuda
	$(IN)/python -m pytest -n $(WORKERS)

cuda-guard: MODE = guard
cuda-checked: MODE = check
cuda-guard cuda-checked: .venv/.test .venv/.pycuda
	SYMTENSOR_SOFTWARE_MODE=$(MODE) $(IN)/python -m pytest -n $(WORKERS) tests/device tests/cuda

# pycuda's own tests on the software driver
pycuda-suite: .venv/.test .venv/.pycuda
	$(IN)/python -m tests.cuda.pycuda_suite -n $(WORKERS)

# Lasagne's own tests, with symtensor under Theano's name
lasagne-suite: .venv/.test .venv/.lasagne-test
	$(IN)/python -m tests.compat.lasagne_suite -n $(WORKERS)

# some of Theano's own tests, likewise
theano-suite: .venv/.test .venv/.theano-test
	$(IN)/python -m tests.compat.theano_suite -n $(WORKERS)

sanitize: .venv/.test
	$(IN)/python tests/sanitized.py

lint: .venv/.lint
	$(IN)/ruff check

types: .venv/.lint
	$(IN)/mypy

bench: .venv-bench/.installed
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BENCH)/python bench/run.py $(BENCH_FLAGS)

clean:
	rm -rf .venv .venv-bench build demo_output *.egg-info symtensor/_core*.so

.venv/bin/python:
	$(PYTHON) -m venv .venv

# One stamp for each set of extras that was installed, older than what it was built from when that changes.
.venv/.%: .venv/bin/python $(SOURCES)
	$(IN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

.venv/.pycuda: .venv/.cuda-test
	$(IN)/symtensor install-pycuda
	touch $@

.venv-bench/bin/python:
	$(PYTHON) -m venv .venv-bench

.venv-bench/.installed: .venv-bench/bin/python bench/requirements.txt $(SOURCES)
	$(BENCH)/python -m pip install --quiet --requirement bench/requirements.txt --editable .
	touch $@
