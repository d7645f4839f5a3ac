"""`python -m symtensor.compat program.py arguments`: a program written for Theano, run by symtensor."""

import runpy
import sys

from symtensor.compat.addresses import install

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m symtensor.compat program.py [arguments]")
    install()
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
