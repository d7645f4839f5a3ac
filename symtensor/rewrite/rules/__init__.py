"""The phases that rules belong to, and the families of rules: one module each, tried in the order of `FAMILIES`.

>>> [phase.name for phase in (resolve, canonicalize, stabilize, specialize, contract)]
['resolve', 'canonicalize', 'stabilize', 'specialize', 'contract']
>>> [one.name for one in resolve.rules][:2]
['size_of_axis', 'size_arithmetic']
"""

from importlib import import_module

from symtensor.rewrite.rule import Phase

__all__ = ["FAMILIES", "resolve", "canonicalize", "stabilize", "specialize", "contract"]

resolve = Phase("resolve", "Sizes become values of the size algebra, so that nothing is computed for a shape; marks"
                           " that only differentiation reads go.")
canonicalize = Phase("canonicalize", "Equal expressions take one form; what is known is folded, what is useless goes.")
stabilize = Phase("stabilize", "Expressions that lose digits or overflow take forms that do not.")
specialize = Phase("specialize", "Expressions take the cheapest form.")
contract = Phase("contract", "Matrix products take the forms that libraries compute.")

FAMILIES = ("sizes", "folding", "spreading", "views", "layouts", "indexing", "gathering", "reductions", "arithmetic",
            "sums", "products", "logic", "stability", "normalizing", "cheaper", "complex_numbers", "matrices",
            "inverses", "determinants", "factors", "loops", "branches")

for _family in FAMILIES:  # by a loop, since the order of rules must not depend on who imports which family first
    import_module(f"{__name__}.{_family}")
