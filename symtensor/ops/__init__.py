"""The primitive operations, one family a file."""

from symtensor.ops import operators as operators
