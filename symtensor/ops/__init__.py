"""The primitive operations, one family a file. Importing the package defines all that are found by name."""

from symtensor.ops import complex_forms as complex_forms
from symtensor.ops import complex_parts as complex_parts
from symtensor.ops import operators as operators
from symtensor.ops import ordering as ordering
from symtensor.ops import random as random
from symtensor.ops import special as special
