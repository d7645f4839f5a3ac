/* Keys of one width of elements: included with KEY, an unsigned integer as wide, WIDE, that of its keys, and NAME. */

#define SIGN ((KEY)((KEY)1 << (sizeof(KEY) * 8 - 1)))
#define ALL ((KEY)~(KEY)0)
#define INFINITE (sizeof(KEY) == 2 ? (KEY)0x7c00 : sizeof(KEY) == 4 ? (KEY)0x7f800000 : (KEY)0x7ff0000000000000)

static INLINE KEY NAME(key)(KEY bits, char kind)
{
    if (kind == 'i')
        return bits ^ SIGN;
    if (kind != 'f')
        return bits;
    KEY size = bits & (KEY)~SIGN, ordered = bits & SIGN ? (KEY)~bits : bits | SIGN;
    return size > INFINITE ? ALL : size == 0 ? SIGN : ordered;
}

static INLINE KEY NAME(bits)(KEY key, char kind)
{
    if (kind == 'i')
        return key ^ SIGN;
    return kind != 'f' ? key : key & SIGN ? key ^ SIGN : (KEY)~key;
}

static INLINE KEY NAME(special)(KEY bits, char kind)
{
    if (kind != 'f')
        return 0;
    return (KEY)(bits == SIGN) | (KEY)((KEY)(bits & (KEY)~SIGN) > INFINITE);
}

static INLINE bool NAME(take_kind)(const KEY *restrict x, int64_t n, int64_t inner, int count, WIDE *const *keys,
                                   char kind)
{
    KEY special = 0;
    if (inner == 1) {
        WIDE *restrict own = keys[0];
        for (int64_t i = 0; i < n; i++) {
            own[i] = NAME(key)(x[i], kind);
            special |= NAME(special)(x[i], kind);
        }
        return special;
    }
    for (int64_t i = 0; i < n; i++) {
        KEY beside[GROUP];
        for (int row = 0; row < count; row++) {
            special |= NAME(special)(x[i * inner + row], kind);
            beside[row] = NAME(key)(x[i * inner + row], kind);
        }
        for (int row = 0; row < count; row++)
            keys[row][i] = beside[row];
    }
    return special;
}

FOR_EACH_MACHINE static bool NAME(take)(const void *x, int64_t n, int64_t inner, int count, void *const *keys, char kind)
{
    WIDE *const *own = (WIDE *const *)keys;
    return kind == 'f'   ? NAME(take_kind)(x, n, inner, count, own, 'f')
           : kind == 'i' ? NAME(take_kind)(x, n, inner, count, own, 'i')
                         : NAME(take_kind)(x, n, inner, count, own, 'u');
}

static INLINE void NAME(give_kind)(WIDE *const *keys, int64_t n, int64_t inner, int count, KEY *restrict x, char kind)
{
    if (inner == 1) {
        const WIDE *restrict own = keys[0];
        for (int64_t i = 0; i < n; i++)
            x[i] = NAME(bits)((KEY)own[i], kind);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        for (int row = 0; row < count; row++)
            x[i * inner + row] = NAME(bits)((KEY)keys[row][i], kind);
}

FOR_EACH_MACHINE static void NAME(give)(void *const *keys, int64_t n, int64_t inner, int count, void *x, char kind)
{
    WIDE *const *own = (WIDE *const *)keys;
    if (kind == 'f')
        NAME(give_kind)(own, n, inner, count, x, 'f');
    else if (kind == 'i')
        NAME(give_kind)(own, n, inner, count, x, 'i');
    else
        NAME(give_kind)(own, n, inner, count, x, 'u');
}

/* Keys of LANES rows side by side, the first elements of which are at `offsets`; those of lane + 1 `beside` those of lane. */
static INLINE bool NAME(take_lanes_kind)(const KEY *restrict x, const int64_t *offsets, bool beside, int64_t n,
                                         int64_t inner, WIDE *restrict keys, char kind)
{
    KEY special = 0;
    for (int64_t i = 0; i < n; i++) {
        KEY bits[LANES];
        if (beside)
            memcpy(bits, x + offsets[0] + i * inner, sizeof(bits));
        else
            for (int lane = 0; lane < LANES; lane++)
                bits[lane] = x[offsets[lane] + i * inner];
        for (int lane = 0; lane < LANES; lane++) {
            special |= NAME(special)(bits[lane], kind);
            keys[i * LANES + lane] = NAME(key)(bits[lane], kind);
        }
    }
    return special;
}

FOR_EACH_MACHINE static bool NAME(take_lanes)(const void *x, const int64_t *offsets, bool beside, int64_t n,
                                              int64_t inner, void *keys, char kind)
{
    return kind == 'f'   ? NAME(take_lanes_kind)(x, offsets, beside, n, inner, keys, 'f')
           : kind == 'i' ? NAME(take_lanes_kind)(x, offsets, beside, n, inner, keys, 'i')
                         : NAME(take_lanes_kind)(x, offsets, beside, n, inner, keys, 'u');
}

static INLINE void NAME(give_lanes_kind)(const WIDE *restrict keys, const int64_t *offsets, int count, int64_t n,
                                         int64_t inner, KEY *restrict x, char kind)
{
    for (int64_t i = 0; i < n; i++) {
        KEY bits[LANES];
        for (int lane = 0; lane < LANES; lane++)
            bits[lane] = NAME(bits)((KEY)keys[i * LANES + lane], kind);
        for (int lane = 0; lane < count; lane++)
            x[offsets[lane] + i * inner] = bits[lane];
    }
}

FOR_EACH_MACHINE static void NAME(give_lanes)(const void *keys, const int64_t *offsets, int count, int64_t n,
                                              int64_t inner, void *x, char kind)
{
    if (kind == 'f')
        NAME(give_lanes_kind)(keys, offsets, count, n, inner, x, 'f');
    else if (kind == 'i')
        NAME(give_lanes_kind)(keys, offsets, count, n, inner, x, 'i');
    else
        NAME(give_lanes_kind)(keys, offsets, count, n, inner, x, 'u');
}

static inline void NAME(mend)(const KEY *x, int64_t n, int64_t inner, KEY *sorted)
{
    int64_t zero = 0, unordered = n;
    while (zero < n && NAME(key)(sorted[zero * inner], 'f') < SIGN)
        zero++;
    while (unordered > 0 && NAME(key)(sorted[(unordered - 1) * inner], 'f') == ALL)
        unordered--;
    for (int64_t i = 0; i < n; i++) {
        KEY bits = x[i * inner], key = NAME(key)(bits, 'f');
        if (key == SIGN)
            sorted[zero++ * inner] = bits;
        else if (key == ALL)
            sorted[unordered++ * inner] = bits;
    }
}

#undef KEY
#undef WIDE
#undef NAME
#undef SIGN
#undef ALL
#undef INFINITE
