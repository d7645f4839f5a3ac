"""The phases that rules belong to; each module of this package holds one family of rules.

>>> [phase.name for phase in (resolve, canonicalize, stabilize, specialize, contract)]
['resolve', 'canonicalize', 'stabilize', 'specialize', 'contract']
"""

from symtensor.rewrite.rule import Phase

__all__ = ["resolve", "canonicalize", "stabilize", "specialize", "contract"]

resolve = Phase("resolve", "Sizes become values of the size algebra, so that nothing is computed for a shape; marks"
                           " that only differentiation reads go.")
canonicalize = Phase("canonicalize", "Equal expressions take one form; what is known is folded, what is useless goes.")
stabilize = Phase("stabilize", "Expressions that lose digits or overflow take forms that do not.")
specialize = Phase("specialize", "Expressions take the cheapest form.")
contract = Phase("contract", "Matrix products take the forms that libraries compute.")
