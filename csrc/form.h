/* Keys of elements, and elements of keys: included with WIDE, an unsigned integer of the width of keys or a vector of
 * such, SCALAR, that integer, and NAME. So there are no comparisons, which have other values in vectors. */

#define TOP ((int)sizeof(SCALAR) * 8 - 1)

/* Floats with all bits but the sign's turned round if that is set. */
static INLINE WIDE NAME(turned)(WIDE bits, Form form)
{
    return bits ^ (-(bits >> form.top) & (SCALAR)form.rest);
}

/* The key of what is not special, and at that its element. */
static INLINE WIDE NAME(plain_key)(WIDE bits, Form form)
{
    return NAME(turned)(bits, form) ^ (SCALAR)form.sign;
}

static INLINE WIDE NAME(bits)(WIDE key, Form form)
{
    return NAME(turned)(key ^ (SCALAR)form.sign, form);
}

/* One for NaN, which is greater than infinity. */
static INLINE WIDE NAME(is_nan)(WIDE bits, Form form)
{
    return ((SCALAR)form.infinite - (bits & (SCALAR)form.rest)) >> TOP;
}

/* One for a zero with a sign: without that it is less than one. */
static INLINE WIDE NAME(is_minus_zero)(WIDE bits, Form form)
{
    return (bits >> form.top) & (((bits & (SCALAR)form.rest) - 1) >> TOP) & (SCALAR)form.rest;
}

static INLINE WIDE NAME(key)(WIDE bits, Form form)
{
    return (NAME(plain_key)(bits, form) + NAME(is_minus_zero)(bits, form))
        | (-NAME(is_nan)(bits, form) & (SCALAR)(form.sign | form.rest));
}

/* One for what its key does not tell. */
static INLINE WIDE NAME(special)(WIDE bits, Form form)
{
    return NAME(is_nan)(bits, form) | NAME(is_minus_zero)(bits, form);
}

#undef WIDE
#undef SCALAR
#undef TOP
