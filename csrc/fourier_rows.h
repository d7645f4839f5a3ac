/* Fourier transforms of rows, for one type of numbers. Included once for each, with REAL, the type, and `NAME`, which
 * makes names of it.
 *
 * Numbers are in two arrays, of real and of imaginary parts. A pass takes one factor r of the length and writes in an
 * order that leaves the last pass with the spectrum in order: x[q + s (p + m k)] goes to y[q + s (r p + j)], for q below
 * s, the numbers beside each other. At first these are `lanes` transforms side by side. `roots` are the n roots of one,
 * exp(-2 pi i k / n). */

typedef struct {
    REAL *re, *im;
} NAME(Numbers);

/* What a factor makes of r numbers a_k: the sums of a_k exp(-2 pi i j k / r), then turned. */
FOR_EACH_MACHINE static void NAME(pass2)(int64_t m, int64_t s, int64_t step, const REAL *restrict roots,
                                         const REAL *restrict xr, const REAL *restrict xi,
                                         REAL *restrict yr, REAL *restrict yi)
{
    for (int64_t p = 0; p < m; p++) {
        REAL c = roots[2 * p * step], d = roots[2 * p * step + 1];
        const REAL *ar = xr + s * p, *ai = xi + s * p;
        REAL *br = yr + s * 2 * p, *bi = yi + s * 2 * p;
        for (int64_t q = 0; q < s; q++) {
            REAL ur = ar[q], ui = ai[q], vr = ar[q + s * m], vi = ai[q + s * m], er = ur - vr, ei = ui - vi;
            br[q] = ur + vr;
            bi[q] = ui + vi;
            br[q + s] = er * c - ei * d;
            bi[q + s] = er * d + ei * c;
        }
    }
}

FOR_EACH_MACHINE static void NAME(pass4)(int64_t m, int64_t s, int64_t step, const REAL *restrict roots,
                                         const REAL *restrict xr, const REAL *restrict xi,
                                         REAL *restrict yr, REAL *restrict yi)
{
    for (int64_t p = 0; p < m; p++) {
        const REAL *w = roots + 2 * p * step, *w2 = roots + 4 * p * step, *w3 = roots + 6 * p * step;
        REAL c1 = w[0], d1 = w[1], c2 = w2[0], d2 = w2[1], c3 = w3[0], d3 = w3[1];
        const REAL *ar = xr + s * p, *ai = xi + s * p;
        REAL *br = yr + s * 4 * p, *bi = yi + s * 4 * p;
        int64_t far = s * m;
        for (int64_t q = 0; q < s; q++) {
            REAL r0 = ar[q], r1 = ar[q + far], r2 = ar[q + 2 * far], r3 = ar[q + 3 * far];
            REAL i0 = ai[q], i1 = ai[q + far], i2 = ai[q + 2 * far], i3 = ai[q + 3 * far];
            REAL er = r0 + r2, ei = i0 + i2, fr = r0 - r2, fi = i0 - i2;
            REAL gr = r1 + r3, gi = i1 + i3, hr = r1 - r3, hi = i1 - i3;
            REAL tr = fr + hi, ti = fi - hr, ur = er - gr, ui = ei - gi, vr = fr - hi, vi = fi + hr;
            br[q] = er + gr;
            bi[q] = ei + gi;
            br[q + s] = tr * c1 - ti * d1;
            bi[q + s] = tr * d1 + ti * c1;
            br[q + 2 * s] = ur * c2 - ui * d2;
            bi[q + 2 * s] = ur * d2 + ui * c2;
            br[q + 3 * s] = vr * c3 - vi * d3;
            bi[q + 3 * s] = vr * d3 + vi * c3;
        }
    }
}

/* An odd factor, by the definition; the terms k and r - k have conjugate roots. */
FOR_EACH_MACHINE static void NAME(pass)(int64_t r, int64_t m, int64_t s, int64_t step, int64_t n,
                                        const REAL *restrict roots, const REAL *restrict xr,
                                        const REAL *restrict xi, REAL *restrict yr, REAL *restrict yi)
{
    int64_t far = s * m;
    for (int64_t p = 0; p < m; p++)
        for (int64_t j = 0; j < r; j++) {
            const REAL *ar = xr + s * p, *ai = xi + s * p, *w = roots + 2 * p * j * step;
            REAL *br = yr + s * (r * p + j), *bi = yi + s * (r * p + j), c = w[0], d = w[1];
            for (int64_t q = 0; q < s; q++) {
                br[q] = ar[q];
                bi[q] = ai[q];
            }
            for (int64_t k = 1; 2 * k <= r; k++) {
                const REAL *turn = roots + 2 * (j * k % r * (n / r));
                REAL e = turn[0], f = turn[1];
                const REAL *gr = ar + far * k, *gi = ai + far * k, *hr = ar + far * (r - k), *hi = ai + far * (r - k);
                for (int64_t q = 0; q < s; q++) {
                    br[q] += (gr[q] + hr[q]) * e - (gi[q] - hi[q]) * f;
                    bi[q] += (gi[q] + hi[q]) * e + (gr[q] - hr[q]) * f;
                }
            }
            for (int64_t q = 0; q < s; q++) {
                REAL tr = br[q], ti = bi[q];
                br[q] = tr * c - ti * d;
                bi[q] = tr * d + ti * c;
            }
        }
}

/* The spectra of `lanes` rows of n = a product of `factors`; they are in x or y afterwards, which is returned. */
static NAME(Numbers) NAME(transform)(const int *factors, int64_t n, int64_t lanes, const REAL *roots, NAME(Numbers) x,
                                     NAME(Numbers) y)
{
    int64_t left = n, s = lanes;
    for (const int *factor = factors; *factor != 0; factor++) {
        int64_t r = *factor, m = left / r, step = n / left;
        if (r == 2)
            NAME(pass2)(m, s, step, roots, x.re, x.im, y.re, y.im);
        else if (r == 4)
            NAME(pass4)(m, s, step, roots, x.re, x.im, y.re, y.im);
        else
            NAME(pass)(r, m, s, step, n, roots, x.re, x.im, y.re, y.im);
        NAME(Numbers) other = x;
        x = y;
        y = other;
        left = m;
        s *= r;
    }
    return x;
}

/* The spectra of rows of any length. Where it has a large prime factor they are by Bluestein's algorithm: sums over k of
 * u_k v_{j - k}, products of spectra of a length that has none. */
static NAME(Numbers) NAME(spectra)(const Plan *plan, int64_t lanes, NAME(Numbers) x, NAME(Numbers) y)
{
    const REAL *roots = plan->roots, *chirp = plan->chirp, *filter = plan->filter;
    if (chirp == NULL)
        return NAME(transform)(plan->factors, plan->length, lanes, roots, x, y);
    for (int64_t k = 0; k < plan->length; k++)
        for (int64_t q = k * lanes; q < (k + 1) * lanes; q++) {
            bool inside = k < plan->n;
            REAL re = inside ? x.re[q] : 0, im = inside ? x.im[q] : 0;
            REAL c = inside ? chirp[2 * k] : 0, d = inside ? chirp[2 * k + 1] : 0;
            x.re[q] = re * c - im * d;
            x.im[q] = re * d + im * c;
        }
    NAME(Numbers) made = NAME(transform)(plan->factors, plan->length, lanes, roots, x, y);
    NAME(Numbers) free = made.re == x.re ? y : x;
    for (int64_t k = 0; k < plan->length; k++)
        for (int64_t q = k * lanes; q < (k + 1) * lanes; q++) {
            REAL re = made.re[q], im = made.im[q], c = filter[2 * k], d = filter[2 * k + 1];
            made.re[q] = re * c - im * d;
            made.im[q] = re * d + im * c;
        }
    NAME(Numbers) swapped = NAME(transform)(plan->factors, plan->length, lanes, roots,
                                            (NAME(Numbers)){made.im, made.re}, (NAME(Numbers)){free.im, free.re});
    made = (NAME(Numbers)){swapped.im, swapped.re};
    for (int64_t k = 0; k < plan->n; k++)
        for (int64_t q = k * lanes; q < (k + 1) * lanes; q++) {
            REAL re = made.re[q], im = made.im[q], c = chirp[2 * k], d = chirp[2 * k + 1];
            made.re[q] = re * c - im * d;
            made.im[q] = re * d + im * c;
        }
    return made;
}

/* Numbers first..last of a row are brought beside those of others, as `lane`; m is that of half the row. */
static void NAME(load)(const Lines *lines, int64_t row, int64_t first, int64_t last, int64_t lanes, NAME(Numbers) x)
{
    int64_t n = lines->n, m = n / 2, stride = lines->inner;
    bool halves = n % 2 == 0;
    const REAL *from = lines->from, *turns = lines->plan->turns;
    if (lines->kind == REAL_FORWARD && halves)
        for (int64_t k = first; k < last; k++) {
            x.re[k * lanes] = from[row * n + 2 * k];
            x.im[k * lanes] = from[row * n + 2 * k + 1];
        }
    else if (lines->kind == REAL_FORWARD)
        for (int64_t k = first; k < last; k++) {
            x.re[k * lanes] = from[row * n + k];
            x.im[k * lanes] = 0;
        }
    else if (lines->kind == REAL_BACK && halves)    /* what has the pairs of numbers as its spectrum, twice over */
        for (int64_t k = first; k < last; k++) {
            const REAL *one = from + 2 * (row * (m + 1) + k), *other = from + 2 * (row * (m + 1) + m - k);
            REAL ai = k == 0 ? 0 : one[1], bi = k == 0 ? 0 : other[1], c = turns[2 * k], d = -turns[2 * k + 1];
            REAL dr = one[0] - other[0], di = ai + bi;
            x.re[k * lanes] = one[0] + other[0] - (dr * d + di * c);
            x.im[k * lanes] = ai - bi + (dr * c - di * d);
        }
    else if (lines->kind == REAL_BACK)
        for (int64_t k = first; k < last; k++) {
            const REAL *pair = from + 2 * (row * (m + 1) + (k <= m ? k : n - k));
            x.re[k * lanes] = pair[0];
            x.im[k * lanes] = k == 0 ? 0 : k <= m ? pair[1] : -pair[1];
        }
    else {
        from += 2 * (row / stride * n * stride + row % stride);
        for (int64_t k = first; k < last; k++) {
            x.re[k * lanes] = from[2 * k * stride];
            x.im[k * lanes] = from[2 * k * stride + 1];
        }
    }
}

/* Numbers first..last of what a row is transformed to are written where they belong. */
static void NAME(store)(const Lines *lines, int64_t row, int64_t first, int64_t last, int64_t lanes, NAME(Numbers) z)
{
    int64_t n = lines->n, m = n / 2, stride = lines->inner;
    bool halves = n % 2 == 0;
    const REAL *turns = lines->plan->turns;
    REAL *to = lines->to;
    if (lines->kind == REAL_FORWARD && halves)    /* from the spectrum of the pairs of numbers */
        for (int64_t k = first; k < last; k++) {
            int64_t one = (k == m ? 0 : k) * lanes, other = (k == 0 ? 0 : m - k) * lanes;
            REAL er = (z.re[one] + z.re[other]) / 2, ei = (z.im[one] - z.im[other]) / 2;
            REAL dr = (z.im[one] + z.im[other]) / 2, di = (z.re[other] - z.re[one]) / 2;
            REAL *half = to + 2 * (row * (m + 1) + k);
            half[0] = er + turns[2 * k] * dr - turns[2 * k + 1] * di;
            half[1] = ei + turns[2 * k] * di + turns[2 * k + 1] * dr;
        }
    else if (lines->kind == REAL_FORWARD)
        for (int64_t k = first; k < last; k++) {
            to[2 * (row * (m + 1) + k)] = z.re[k * lanes];
            to[2 * (row * (m + 1) + k) + 1] = z.im[k * lanes];
        }
    else if (lines->kind == REAL_BACK && halves)
        for (int64_t k = first; k < last; k++) {
            to[row * n + 2 * k] = z.re[k * lanes];
            to[row * n + 2 * k + 1] = z.im[k * lanes];
        }
    else if (lines->kind == REAL_BACK)
        for (int64_t k = first; k < last; k++)
            to[row * n + k] = z.re[k * lanes];
    else {
        to += 2 * (row / stride * n * stride + row % stride);
        for (int64_t k = first; k < last; k++) {
            to[2 * k * stride] = z.re[k * lanes];
            to[2 * k * stride + 1] = z.im[k * lanes];
        }
    }
}

/* Rows first..first + lanes of an axis: brought side by side, transformed and written, some numbers of each in turn,
 * so that those of all rows stay near. */
static void NAME(rows)(const Lines *lines, int64_t first, int64_t lanes, REAL *scratch)
{
    const Plan *plan = lines->plan;
    int64_t n = plan->n, size = plan->length * lanes + APART;
    bool turned = lines->kind == BACK || lines->kind == REAL_BACK;
    NAME(Numbers) x = {scratch, scratch + size}, y = {scratch + 2 * size, scratch + 3 * size};
    for (int64_t k = 0; k < n; k += BLOCK)
        for (int64_t lane = 0; lane < lanes; lane++)
            NAME(load)(lines, first + lane, k, k + BLOCK < n ? k + BLOCK : n, lanes,
                       (NAME(Numbers)){x.re + lane, x.im + lane});
    /* Exchanged parts make the way back of the way there. */
    NAME(Numbers) given = turned ? (NAME(Numbers)){x.im, x.re} : x, other = turned ? (NAME(Numbers)){y.im, y.re} : y;
    NAME(Numbers) z = NAME(spectra)(plan, lanes, given, other);
    if (turned)
        z = (NAME(Numbers)){z.im, z.re};
    int64_t made = lines->kind == REAL_FORWARD ? lines->n / 2 + 1 : n;
    for (int64_t k = 0; k < made; k += BLOCK)
        for (int64_t lane = 0; lane < lanes; lane++)
            NAME(store)(lines, first + lane, k, k + BLOCK < made ? k + BLOCK : made, lanes,
                        (NAME(Numbers)){z.re + lane, z.im + lane});
}

static void NAME(turn)(int64_t k, int64_t of, REAL *parts)
{
    double c, d;
    turn(k, of, &c, &d);
    parts[0] = (REAL)c;
    parts[1] = (REAL)d;
}

/* The tables of a plan: roots of its length, turns by half of their angle, and what Bluestein's algorithm multiplies. */
static void NAME(tables)(Plan *plan, REAL *room)
{
    int64_t n = plan->n, length = plan->length;
    bool direct = length == n;
    plan->roots = room;
    plan->turns = room + 2 * length;
    for (int64_t k = 0; k < length; k++)
        NAME(turn)(2 * k, 2 * length, &room[2 * k]);
    for (int64_t k = 0; k <= n; k++)
        NAME(turn)(k, 2 * n, &room[2 * (length + k)]);
    if (direct)
        return;
    REAL *chirp = room + 2 * (length + n + 1), *filter = chirp + 2 * n, *work = filter + 2 * length;
    NAME(Numbers) x = {work, work + length}, y = {work + 2 * length, work + 3 * length};
    memset(work, 0, 2 * length * sizeof(REAL));
    for (int64_t k = 0; k < n; k++) {
        NAME(turn)(k * k % (2 * n), 2 * n, &chirp[2 * k]);
        int64_t mirrored = k == 0 ? 0 : length - k;
        x.re[k] = x.re[mirrored] = chirp[2 * k] / length;
        x.im[k] = x.im[mirrored] = -chirp[2 * k + 1] / length;
    }
    NAME(Numbers) z = NAME(transform)(plan->factors, length, 1, plan->roots, x, y);
    for (int64_t k = 0; k < length; k++) {
        filter[2 * k] = z.re[k];
        filter[2 * k + 1] = z.im[k];
    }
    plan->chirp = chirp;
    plan->filter = filter;
}
