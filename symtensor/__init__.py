"""symtensor: a symbolic tensor expression compiler."""

__version__ = "0.1.0"
