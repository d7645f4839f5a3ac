"""Truth values: boolean algebra, comparisons, choices.

>>> greater_than
gt(x, y) -> lt(y, x)
"""

from __future__ import annotations

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.elementwise import Cast
from symtensor.ops.scalar import and_, eq, invert, isinf, isnan, maximum, minimum, neq, or_, switch, xor
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite, rule
from symtensor.rewrite.rules import canonicalize
from symtensor.types.dtype import BOOL, DISCRETE, INTEGERS

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []


# -- boolean algebra --------------------------------------------------------------------------------------

@rule(canonicalize, keeps="exact")
def and_with_itself(x):
    """Nothing changes."""
    return and_(x, x), x


@rule(canonicalize, keeps="exact")
def or_with_itself(x):
    """Nothing changes."""
    return or_(x, x), x


@rule(canonicalize, keeps="exact")
def xor_with_itself(x):
    """Equal bits give 0."""
    return xor(x, x), 0


@rule(canonicalize, keeps="exact")
def double_inversion(x):
    """Inversion undoes itself."""
    return invert(invert(x)), x


@rule(canonicalize, keeps="exact")
def and_with_nothing(x):
    """No bit is left."""
    return and_(x, 0), 0


@rule(canonicalize, keeps="exact")
def or_with_nothing(x):
    """No bit is added."""
    return or_(x, 0), x


@rule(canonicalize, keeps="exact")
def xor_with_nothing(x):
    """No bit changes."""
    return xor(x, 0), x


@rule(canonicalize, keeps="exact", dtypes=BOOL)
def and_with_true(x):
    """Nothing changes."""
    return and_(x, True), x


@rule(canonicalize, keeps="exact", dtypes=BOOL)
def or_with_true(x):
    """True whatever x is."""
    return or_(x, True), True


@rule(canonicalize, keeps="exact", dtypes=BOOL)
def xor_with_true(x):
    """The opposite."""
    return xor(x, True), invert(x)


@rule(canonicalize, keeps="exact", dtypes=INTEGERS)
def and_with_all_bits(x):
    """Every bit is left."""
    return and_(x, -1), x


@rule(canonicalize, keeps="exact")
def and_with_opposite(x):
    """No bit is in both."""
    return and_(x, invert(x)), 0


@rule(canonicalize, keeps="exact", dtypes=BOOL)
def or_with_opposite(x):
    """One of them is true."""
    return or_(x, invert(x)), True


@rule(canonicalize, keeps="exact")
def absorbing_and(x, y):
    """What is in x is in x or y."""
    return and_(x, or_(x, y)), x


@rule(canonicalize, keeps="exact")
def absorbing_or(x, y):
    """What is in x and y is in x."""
    return or_(x, and_(x, y)), x


@rule(canonicalize, keeps="exact", dtypes=BOOL)
def product_of_bools(x, y):
    """One form."""
    return x * y, and_(x, y)


@rule(canonicalize, keeps="exact", dtypes=BOOL)
def sum_of_bools(x, y):
    """One form."""
    return x + y, or_(x, y)


# -- comparisons ------------------------------------------------------------------------------------------

@rule(canonicalize, keeps="exact")
def greater_than(x, y):
    """One form."""
    return x > y, y < x


@rule(canonicalize, keeps="exact")
def greater_or_equal(x, y):
    """One form."""
    return x >= y, y <= x


@rule(canonicalize, keeps="exact")
def less_than_itself(x):
    """Nothing is."""
    return x < x, False


@rule(canonicalize, keeps="exact", dtypes=DISCRETE)
def at_most_itself(x):
    """Everything but NaN is."""
    return x <= x, True


@rule(canonicalize, keeps="exact", dtypes=DISCRETE)
def equal_to_itself(x):
    """Everything but NaN is."""
    return eq(x, x), True


@rule(canonicalize, keeps="exact", dtypes=DISCRETE)
def different_from_itself(x):
    """Only NaN is."""
    return neq(x, x), False


@rule(canonicalize, keeps="exact")
def not_equal(x, y):
    """One op."""
    return invert(eq(x, y)), neq(x, y)


@rule(canonicalize, keeps="exact")
def not_different(x, y):
    """One op."""
    return invert(neq(x, y)), eq(x, y)


@rule(canonicalize, keeps="exact", dtypes=DISCRETE)
def not_less(x, y):
    """One op; a NaN would make both sides false."""
    return invert(x < y), y <= x


@rule(canonicalize, keeps="exact", dtypes=DISCRETE)
def not_at_most(x, y):
    """One op; a NaN would make both sides false."""
    return invert(x <= y), y < x


@rule(canonicalize, keeps="exact", dtypes=BOOL)
def is_true(x):
    """It says so itself."""
    return eq(x, True), x


@rule(canonicalize, keeps="exact", dtypes=BOOL)
def is_false(x):
    """The opposite."""
    return eq(x, False), invert(x)


@rule(canonicalize, keeps="exact", dtypes=BOOL)
def is_not_false(x):
    """It says so itself."""
    return neq(x, False), x


@rule(canonicalize, keeps="exact", dtypes=BOOL)
def is_not_true(x):
    """The opposite."""
    return neq(x, True), invert(x)


@rule(canonicalize, keeps="exact", dtypes=DISCRETE)
def integer_is_number(x):
    """Only floats can be NaN."""
    return isnan(x), False


@rule(canonicalize, keeps="exact", dtypes=DISCRETE)
def integer_is_finite(x):
    """Only floats can be infinite."""
    return isinf(x), False


@rule(canonicalize, keeps="exact", dtypes=BOOL, dtype=["int8", "float32", "complex64"])
def truth_of_number_of_truth(x, dtype):
    """A bool made a number and asked whether it is zero."""
    return neq(Cast("cast", dtype)(x), 0), x


# -- choices ----------------------------------------------------------------------------------------------

@rule(canonicalize, keeps="exact")
def choice_of_equals(c, x):
    """Nothing to choose."""
    return switch(c, x, x), x


@rule(canonicalize, keeps="exact")
def choice_if_true(x, y):
    """The choice is made."""
    return switch(True, x, y), x


@rule(canonicalize, keeps="exact")
def choice_if_false(x, y):
    """The choice is made."""
    return switch(False, x, y), y


@rule(canonicalize, keeps="exact")
def choice_by_opposite(c, x, y):
    """The same choice the other way round."""
    return switch(invert(c), x, y), switch(c, y, x)


@rule(canonicalize, keeps="exact")
def choice_within_first(c, x, y, z):
    """The inner choice is made by the outer one."""
    return switch(c, switch(c, x, y), z), switch(c, x, z)


@rule(canonicalize, keeps="exact")
def choice_within_second(c, x, y, z):
    """The inner choice is made by the outer one."""
    return switch(c, x, switch(c, y, z)), switch(c, x, z)


@rule(canonicalize, keeps="exact")
def choice_is_condition(c):
    """The condition itself."""
    return switch(c, True, False), c


@rule(canonicalize, keeps="exact")
def choice_is_opposite(c):
    """The opposite of the condition."""
    return switch(c, False, True), invert(c)


# -- constants --------------------------------------------------------------------------------------------

@rewrite(canonicalize, ops=[maximum, minimum, and_, or_, xor])
def constants_together(node: Apply, context: Context) -> Variable | None:
    """(x op 1) op 2 is x op (1 op 2), exactly, for ops that choose or work on bits."""
    for inner, outer in (node.inputs, node.inputs[::-1]):
        below = inner.owner
        if not isinstance(outer, Constant) or below is None or below.op is not node.op:
            continue
        for x, constant in (below.inputs, below.inputs[::-1]):
            if isinstance(constant, Constant):
                op = node.op
                return op(x, op(constant, outer))
    return None
