/* The first few of a row in order: included with KEY, an unsigned integer, ARGSORT of such keys, and NAME.
 *
 * What may be among them is kept: the first ones, all, and later those whose key is below that of the last one wanted. When
 * there is no more room, those that are not wanted go.
 */

typedef struct {
    int64_t wanted, count;
    bool full;                   /* the wanted ones are kept, and `limit` is the key of the last */
    KEY limit;
    KEY *keys, *other_keys;
    uint32_t *places, *other_places;
    uint64_t *records, *other_records;
    Team team;
} NAME(Kept);

static NAME(Kept) NAME(kept)(char *scratch, int64_t room, int64_t wanted)
{
    NAME(Kept) kept = {.wanted = wanted, .team = {1, scratch, 0}};
    kept.records = (uint64_t *)(scratch + COUNTS), kept.other_records = kept.records + room;
    kept.keys = (KEY *)(kept.other_records + room), kept.other_keys = kept.keys + room;
    kept.places = (uint32_t *)(kept.other_keys + room), kept.other_places = kept.places + room;
    return kept;
}

/* Keep those that are wanted, in order. */
static void NAME(let_go)(NAME(Kept) *kept)
{
    const uint64_t *order = ARGSORT(kept->keys, kept->records, kept->other_records, kept->count, kept->team);
    KEY *keys = kept->other_keys;
    uint32_t *places = kept->other_places;
    kept->count = smaller_of(kept->count, kept->wanted);
    for (int64_t i = 0; i < kept->count; i++) {
        keys[i] = kept->keys[(uint32_t)order[i]];
        places[i] = kept->places[(uint32_t)order[i]];
    }
    kept->other_keys = kept->keys, kept->other_places = kept->places;
    kept->keys = keys, kept->places = places;
    kept->full = kept->count == kept->wanted;
    kept->limit = kept->full ? keys[kept->count - 1] : 0;
}

/* Keep what may be wanted of keys whose first is at the place `first` of the row. */
FOR_EACH_MACHINE static void NAME(keep)(NAME(Kept) *kept, const KEY *restrict given, int count, int64_t first)
{
    KEY limit = kept->limit, *restrict keys = kept->keys;
    uint32_t *restrict places = kept->places;
    bool full = kept->full;
    int64_t next = kept->count;
    int below = !full;
    for (int i = 0; i < count; i++)
        below |= given[i] < limit;
    for (int i = 0; below && i < count; i++) {
        keys[next] = given[i];
        places[next] = (uint32_t)(first + i);
        next += !full | (given[i] < limit);
    }
    kept->count = next;
}

/* Positions of the first `wanted` of a row, `inner` apart as the row's elements are. */
static void NAME(select)(const Selection *selection, const char *x, int64_t *result, char *scratch)
{
    const Type *type = selection->type;
    Rows rows = selection->rows;
    KEY keys[BLOCK], flip = selection->largest ? ~(KEY)0 : 0;
    void *own[] = {keys};
    NAME(Kept) kept = NAME(kept)(scratch, selection->room, selection->wanted);
    for (int64_t first = 0; first < rows.n; first += BLOCK) {
        int count = (int)smaller_of(BLOCK, rows.n - first);
        keys_take(type, x + first * rows.inner * type->itemsize, count, rows.inner, 1, own);
        for (int i = 0; i < count; i++)
            keys[i] ^= flip;
        if (kept.count + BLOCK > selection->room)
            NAME(let_go)(&kept);
        for (int block = 0; block < count; block += PART)
            NAME(keep)(&kept, keys + block, (int)smaller_of(PART, count - block), first + block);
    }
    const uint64_t *order = ARGSORT(kept.keys, kept.records, kept.other_records, kept.count, kept.team);
    for (int64_t i = 0; i < smaller_of(kept.count, kept.wanted); i++)
        result[i * rows.inner] = kept.places[(uint32_t)order[i]];
}

#undef KEY
#undef ARGSORT
#undef NAME
