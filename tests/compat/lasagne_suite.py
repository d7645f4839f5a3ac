"""The own tests of Lasagne, a library of neural networks on Theano, run on symtensor: `make lasagne-suite`, or

    python -m tests.compat.lasagne_suite -n 2

Arguments are pytest's. The status is 0 where every test passes but those left out, and they are many enough. Others
skip themselves: of layers for GPUs with libraries that Theano once used.
"""

from __future__ import annotations

import sys

from tests.outside import Suite

LEFT_OUT = {
    "lasagne/tests/layers/test_helper.py::TestGetOutput_InputLayer::test_get_output_input_is_variable":
        "it makes a variable whose type is a text",
}
CONFTEST = """\
import sys
sys.path.insert(0, "")
from symtensor import compat
compat.install()
"""

if __name__ == "__main__":
    suite = Suite("Lasagne", "0.1", ["lasagne/tests"], CONFTEST, LEFT_OUT, 484, ["setup.cfg", "lasagne/conftest.py"])
    sys.exit(suite.run(sys.argv[1:]))
