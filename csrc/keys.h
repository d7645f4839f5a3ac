/* Keys of rows of one width of elements: included with ELEMENT, an unsigned integer as wide, WIDE, that of its keys,
 * OF, which names what form.h has for that, and NAME. */

static INLINE bool NAME(take_form)(const ELEMENT *restrict x, int64_t n, int64_t inner, int count, WIDE *const *keys,
                                   Form form)
{
    WIDE special = 0;
    if (inner == 1) {
        WIDE *restrict own = keys[0];
        for (int64_t i = 0; i < n; i++) {
            own[i] = OF(key)(x[i], form);
            special |= OF(special)(x[i], form);
        }
        return special;
    }
    for (int64_t i = 0; i < n; i++) {
        WIDE beside[GROUP];
        for (int row = 0; row < count; row++) {
            special |= OF(special)(x[i * inner + row], form);
            beside[row] = OF(key)(x[i * inner + row], form);
        }
        for (int row = 0; row < count; row++)
            keys[row][i] = beside[row];
    }
    return special;
}

/* Integers, of which none is special, have a loop of their own. */
FOR_EACH_MACHINE static bool NAME(take)(const ELEMENT *x, int64_t n, int64_t inner, int count, WIDE *const *keys,
                                        Form form)
{
    return form.rest == 0 ? NAME(take_form)(x, n, inner, count, keys, (Form){.top = form.top, .sign = form.sign})
                          : NAME(take_form)(x, n, inner, count, keys, form);
}

FOR_EACH_MACHINE static void NAME(give)(WIDE *const *keys, int64_t n, int64_t inner, int count, ELEMENT *restrict x,
                                        Form form)
{
    if (inner == 1) {
        const WIDE *restrict own = keys[0];
        for (int64_t i = 0; i < n; i++)
            x[i] = (ELEMENT)OF(bits)(own[i], form);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        for (int row = 0; row < count; row++)
            x[i * inner + row] = (ELEMENT)OF(bits)(keys[row][i], form);
}

static inline void NAME(mend)(const ELEMENT *x, int64_t n, int64_t inner, ELEMENT *sorted, Form form)
{
    WIDE none = (WIDE)form.sign, nan = (WIDE)(form.sign | form.rest);
    int64_t zero = 0, unordered = n;
    while (zero < n && OF(key)(sorted[zero * inner], form) < none)
        zero++;
    while (unordered > 0 && OF(key)(sorted[(unordered - 1) * inner], form) == nan)
        unordered--;
    for (int64_t i = 0; i < n; i++) {
        ELEMENT bits = x[i * inner];
        WIDE key = OF(key)(bits, form);
        if (key == none)
            sorted[zero++ * inner] = bits;
        else if (key == nan)
            sorted[unordered++ * inner] = bits;
    }
}

#undef ELEMENT
#undef WIDE
#undef OF
#undef NAME
