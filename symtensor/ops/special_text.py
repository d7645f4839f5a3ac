"""C functions that special functions call: what no math library has.

Each text defines static functions, once in a unit however often it stands there. They compute in double.

>>> ERROR.count("SYMTENSOR_ERROR")
2
"""

from __future__ import annotations

__all__ = ["BESSEL", "ERROR", "GAMMALN", "INCOMPLETE_GAMMA", "POLYGAMMA"]


def _once(name: str, text: str) -> str:
    return f"#ifndef SYMTENSOR_{name}\n#define SYMTENSOR_{name}\n{text.strip()}\n#endif\n"


ERROR = _once("ERROR", r"""
/* exp(x * x) * erfc(x). The square is rounded; what it lost (`rest`) is added to the exponential. */
static double special_erfcx(double x) {
  if (x < -27) return __builtin_inf();
  if (!(x > 25)) {
    double square = x * x, rest = __builtin_fma(x, x, -square), large = exp(square);
    return (large + large * rest) * erfc(x);
  }
  double t = 0.5 / (x * x);  /* the asymptotic series 1 - t + 1 * 3 * t^2 - 1 * 3 * 5 * t^3 ... */
  return (1 - t * (1 - 3 * t * (1 - 5 * t * (1 - 7 * t * (1 - 9 * t * (1 - 11 * t)))))) * 0.56418958354775628 / x;
}
/* The y with erfc(y) = p, for p up to 0.5: an estimate good to 3 digits, then steps that triple their number. */
static double special_tail_of_erfc(double p) {
  double t = sqrt(-2 * log(p / 2));
  double y = (t - (2.515517 + t * (0.802853 + t * 0.010328))
                  / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))) * 0.70710678118654752;
  for (int i = 0; i < 3; ++i) {
    double step = (erfc(y) - p) / (1.1283791670955126 * exp(-y * y));
    y += step / (1 - y * step);
  }
  return y;
}
static double special_erfinv(double x) {
  double size = fabs(x);
  if (!(size < 1)) return size == 1 ? x * __builtin_inf() : __builtin_nan("");
  if (size > 0.5) return __builtin_copysign(special_tail_of_erfc(1 - size), x);
  double square = x * x;
  double y = x * (0.88622692545275801 + square * (0.2320137 + square * (0.1275562 + square * 0.0865521)));
  for (int i = 0; i < 3; ++i) {
    double step = (erf(y) - x) / (1.1283791670955126 * exp(-y * y));
    y -= step / (1 + y * step);
  }
  return y;
}
static double special_erfcinv(double p) {
  if (!(p > 0 && p < 2)) return p == 0 ? __builtin_inf() : p == 2 ? -__builtin_inf() : __builtin_nan("");
  if (p <= 0.5) return special_tail_of_erfc(p);
  return p < 1.5 ? special_erfinv(1 - p) : -special_tail_of_erfc(2 - p);
}
""")

GAMMALN = _once("GAMMALN", r"""
/* What lgamma leaves in a global variable, its sign, has no place where threads work side by side. */
double lgamma_r(double, int *);
static double special_gammaln(double x) {
  int sign;
  return x == -__builtin_inf() ? x : lgamma_r(x, &sign);
}
""")

POLYGAMMA = _once("POLYGAMMA", r"""
static const double special_bernoulli[12] = {  /* B(2k) / (2k)! */
  1, 1. / 12, -1. / 720, 1. / 30240, -1. / 1209600, 1. / 47900160, -5.2841901386874932e-10, 1.3382536530684679e-11,
  -3.3896802963225829e-13, 8.5860620562778446e-15, -2.1748686985580619e-16, 5.5090028283602295e-18};
/* The sum over k >= 0 of (q + k)^-s for q > 0 and whole s > 1, by the formula of Euler and Maclaurin. */
static double special_hurwitz(double s, double q) {
  double sum = 0;
  for (; q < 10 + s; ++q) sum += pow(q, -s);
  double power = pow(q, -s), factor = s / q, total = q / (s - 1) + 0.5;
  for (int k = 1; k < 12; ++k) {
    total += special_bernoulli[k] * factor;
    factor *= (s + 2 * k - 1) * (s + 2 * k) / (q * q);
  }
  return sum + power * total;
}
/* psi(x) for x > 0. Below 10 as (x - root) times a sum of positive terms, so that it is right near the root too. */
static double special_psi_above(double x) {
  if (x >= 10) {
    double u = 1 / (x * x), total = 0, factorial = 1;
    double term[8];
    for (int k = 1; k < 8; ++k) term[k] = special_bernoulli[k] * (factorial *= k == 1 ? 1 : (2 * k - 1) * (2 * k - 2));
    for (int k = 7; k > 0; --k) total = (total + term[k]) * u;
    return log(x) - 0.5 / x - total;
  }
  const double root = 1.4616321449683622, rest = 9.549995429965697e-17;
  double sum = 0;
  for (int n = 0; n < 12; ++n) sum += 1 / ((n + x) * (n + root));
  double a = x + 12, b = root + 12, u = 1 / (a * a), v = 1 / (b * b), ratio = (x - root) / b;
  sum += (ratio == 0 ? 1 : log1p(ratio) / ratio) / b + 0.5 / (a * b);
  double powers = 1, next = v, factorial = 1, total = 0;  /* powers: (v^k - u^k) / (v - u) */
  for (int k = 1; k < 8; ++k) {
    factorial *= k == 1 ? 1 : (2 * k - 1) * (2 * k - 2);
    total += special_bernoulli[k] * factorial * powers;
    powers = next + u * powers;
    next *= v;
  }
  return ((x - root) - rest) * (sum + total * (a + b) * u * v);
}
static double special_psi(double x) {
  if (x > 0) return x > 1e300 ? log(x) : special_psi_above(x);
  if (x == 0) return -__builtin_copysign(__builtin_inf(), x);
  double turn = x - __builtin_rint(x);
  if (!(turn != 0)) return __builtin_nan("");
  return special_psi_above(1 - x) - 3.1415926535897932 / tan(3.1415926535897932 * turn);
}
/* The derivative of order n of psi, up to 170. Below zero the sum over k is taken from both sides of zero. */
static double special_polygamma(double n, double x) {
  if (n == 0) return special_psi(x);
  if (!(n > 0 && n <= 170 && n == __builtin_floor(n)) || x != x) return __builtin_nan("");
  double s = n + 1, odd = s - 2 * __builtin_floor(s / 2), sum;
  if (x > 0) sum = x > 1e300 ? 0 : special_hurwitz(s, x);
  else {
    double part = x - __builtin_floor(x);
    if (!(part > 0)) sum = __builtin_inf();  /* as from the right */
    else {
      double near = special_hurwitz(s, 1 - part), far = special_hurwitz(s, 1 - x);
      sum = special_hurwitz(s, part) + (odd ? -near : near) - (odd ? -far : far);
    }
  }
  return (odd ? -1 : 1) * tgamma(s) * sum;
}
""")

INCOMPLETE_GAMMA = _once("INCOMPLETE_GAMMA", r"""
double lgamma_r(double, int *);
/* log(1 + u) - u, for small u by the series of the inverse hyperbolic tangent. */
static double special_log1p_less(double u) {
  if (fabs(u) > 0.4) return log1p(u) - u;
  double r = u / (2 + u), square = r * r, sum = 0;
  for (int k = 31; k > 1; k -= 2) sum = sum * square + 1.0 / k;
  return 2 * r * square * sum - u * r;
}
/* log(gamma(1 + a)) */
static double special_lgamma1p(double a) {
  static const double c[] = {-0.57721566490153286, 0.82246703342411322, -0.40068563438653143, 0.27058080842778454,
    -0.20738555102867399, 0.16955717699740819, -0.14404989676884612, 0.12550966952474304, -0.11133426586956469,
    0.10009945751278181, -0.090954017145829042, 0.083353840546109004, -0.076932516411352192, 0.071432946295361336,
    -0.066668705882420468, 0.062500955141213041};
  int sign;
  if (a > 0.1) return lgamma_r(1 + a, &sign);
  double sum = 0;
  for (int k = 15; k >= 0; --k) sum = (sum + c[k]) * a;
  return sum;
}
/* x^a * exp(-x) / gamma(a + 1) */
static double special_gamma_density(double a, double x) {
  if (a < 10) return x > 1600 ? 0 : pow(x, a) * exp(-x / 2) / tgamma(a + 1) * exp(-x / 2);
  double u = 1 / (a * a);
  double stirling = (1. / 12 - u * (1. / 360 - u * (1. / 1260 - u * (1. / 1680 - u * (1. / 1188
                     - u * (691. / 360360 - u * (1. / 156))))))) / a;
  double far = (x - a) / a, exponent = x < 0.6 * a ? log(x / a) - far : special_log1p_less(far);
  return exp(a * exponent - stirling) / sqrt(6.2831853071795865 * a);
}
/* The lower function over gamma(a): x^a exp(-x) / gamma(a + 1) * (1 + x / (a + 1) + ...) */
static double special_gamma_series(double a, double x) {
  double term = 1, sum = 1;
  for (double n = 1; term > sum * 1e-17; ++n) sum += term *= x / (a + n);
  return special_gamma_density(a, x) * sum;
}
/* The upper function over gamma(a), by Legendre's continued fraction. */
static double special_gamma_fraction(double a, double x) {
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (double n = 1; n < 1e7; ++n) {
    double numerator = -n * (n - a);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    h *= c * d;
    if (fabs(c * d - 1) < 2e-16) break;
  }
  return special_gamma_density(a, x) * a * h;
}
/* The upper function over gamma(a) for small x: 1 minus a series that begins with x^a / gamma(a + 1). */
static double special_gamma_small(double a, double x) {
  double exponent = a * log(x) - special_lgamma1p(a), term = 1, sum = 0;
  for (int n = 1; n < 60; ++n) sum += (term *= -x / n) / (a + n);
  return -expm1(exponent) - a * exp(exponent) * sum;
}
/* Both for large a and x near it: the leading terms of Temme's expansion. */
static double special_gamma_temme(double a, double x, int upper) {
  double u = (x - a) / a, eta = __builtin_copysign(sqrt(-2 * special_log1p_less(u)), u), sign = upper ? 1 : -1;
  double c = -1. / 3 + eta * (1. / 12 - eta * (2. / 135 - eta / 864));
  return 0.5 * erfc(sign * eta * sqrt(a / 2)) + sign * exp(-0.5 * a * eta * eta) / sqrt(6.2831853071795865 * a) * c;
}
/* P(a, x), or with `upper` Q(a, x) = 1 - P(a, x): whichever is computed directly has no cancellation. */
static double special_gamma_part(double a, double x, int upper) {
  if (!(a >= 0 && x >= 0) || (a == 0 && x == 0)) return __builtin_nan("");
  double infinity = __builtin_inf();
  if (a == infinity || x == infinity)
    return a == x ? __builtin_nan("") : (x == infinity) != upper;
  if (x == 0) return upper;
  if (a == 0) return !upper;
  if (a > 1e8 && fabs(x - a) < 1e-3 * a) return special_gamma_temme(a, x, upper);
  if (x > 1.1) {
    if (x >= a) {
      double q = special_gamma_fraction(a, x);
      return upper ? q : 1 - q;
    }
  } else if (x <= 0.5 ? a < -0.4 / log(x) : a < 1.1 * x) {
    double q = special_gamma_small(a, x);
    return upper ? q : q > 0.9 ? special_gamma_series(a, x) : 1 - q;
  }
  double p = special_gamma_series(a, x);
  return upper ? 1 - p : p;
}
""")

BESSEL = _once("BESSEL", r"""
double lgamma_r(double, int *);
double jn(int, double);
double hypot(double, double);
/* log(gamma(v + 1) / sqrt(2 pi v)) - v * log(v) + v, for large v */
static double special_stirling(double v) {
  double u = 1 / (v * v);
  return (1. / 12 - u * (1. / 360 - u * (1. / 1260 - u * (1. / 1680)))) / v;
}
/* (x / 2)^v / gamma(v + 1) times the sum of (sign * x^2 / 4)^k / (k! (v + 1) ... (v + k)). */
static double special_bessel_series(double v, double x, double sign) {
  double quarter = sign * x * x / 4, term = 1, sum = 1, exponent = 0;
  for (double k = 1; fabs(term) > 1e-17 * fabs(sum) || k + v < 1; ++k) {
    sum += term *= quarter / (k * (k + v));
    if (sum > 1e250) term *= 1e-250, sum *= 1e-250, exponent += 575.64627324851148;
  }
  if (fabs(v) < 60 && exponent == 0) return pow(x / 2, v) / tgamma(v + 1) * sum;
  int negative = 1;
  if (v < 60) exponent += v * log(x / 2) - lgamma_r(v + 1, &negative);
  else exponent += v * (log(x / (2 * v)) + 1) - special_stirling(v) - 0.5 * log(6.2831853071795865 * v);
  return negative * (exp(exponent / 2) * sum) * exp(exponent / 2);
}
/* J of order v for x > 0 far beyond the order: Hankel's expansion. */
static double special_jv_far(double v, double x) {
  double mu = 4 * v * v, term = 1, p = 1, q = 0;
  for (int k = 1; k < 80; ++k) {
    double next = term * (mu - (2. * k - 1) * (2. * k - 1)) / (k * 8 * x);
    if (fabs(next) >= fabs(term) && k > fabs(v)) break;
    term = next;
    if (k % 2) q += k % 4 == 1 ? term : -term; else p += k % 4 == 0 ? term : -term;
    if (fabs(term) < 1e-18) break;
  }
  double phase = __builtin_fmod(v / 2 + 0.25, 2) * 3.1415926535897932, c = cos(phase), s = sin(phase);
  double cosine = cos(x) * c + sin(x) * s, sine = sin(x) * c - cos(x) * s;
  return sqrt(0.63661977236758134 / x) * (cosine * p - sine * q);
}
/* J'/J of order v, and the sign of J, by the continued fraction of the recurrence. */
static double special_bessel_slope(double v, double x, double *sign) {
  double h = v > 0 ? v / x : 1e-300, c = h, d = 0;
  for (double n = 1;; ++n) {
    double b = 2 * (v + n) / x;
    if (n > 1e6) return __builtin_nan("");
    d = b - d;
    c = b - 1 / c;
    if (d == 0) d = 1e-300;
    if (c == 0) c = 1e-300;
    d = 1 / d;
    h *= c * d;
    if (d < 0) *sign = -*sign;
    if (fabs(c * d - 1) < 1e-16) break;
  }
  return h;
}
/* J and Y of order v, and Y of order v + 1, for x >= 2 and v up to about x: Steed's method. */
static double special_bessel_steed(double v, double x, double *y, double *y_next) {
  double sign = 1, f = special_bessel_slope(v, x, &sign);
  /* (J' + iY') / (J + iY) = p + iq, from K = a1 / (b1 + a2 / (b2 + ...)) with b_k = 2 (x + k i), numbers in pairs */
  double a = 0.25 - v * v, br = 2 * x, bi = 2, dr, di, cr, ci, hr, hi;
  double size = br * br + bi * bi;
  dr = br / size, di = -bi / size, hr = a * dr, hi = a * di, cr = 1e300, ci = 0;
  for (int k = 2; k < 100000; ++k) {
    a += 2 * (k - 1);
    bi += 2;
    double er = a * dr + br, ei = a * di + bi;
    size = er * er + ei * ei;
    dr = er / size, di = -ei / size;
    size = cr * cr + ci * ci;
    double gr = size > 1e299 ? 0 : a * cr / size, gi = size > 1e299 ? 0 : -a * ci / size;
    cr = br + gr, ci = bi + gi;
    double tr = cr * dr - ci * di, ti = cr * di + ci * dr, old = hr;
    hr = hr * tr - hi * ti, hi = old * ti + hi * tr;
    if (fabs(tr - 1) + fabs(ti) < 1e-16) break;
  }
  double p = -0.5 / x - hi / x, q = 1 + hr / x, gamma = (p - f) / q;
  double j = sign * sqrt(0.63661977236758134 / x / ((p - f) * gamma + q));
  *y = gamma * j;
  *y_next = v / x * *y - j * (gamma * p + q);
  return j;
}
/* J of order v >= 0, and Y, for x >= 2. */
static double special_bessel_above(double v, double x, double *y) {
  if (v > 1e6 || x > 1e9) return __builtin_nan("");
  double steps = v < x ? 0 : __builtin_floor(v - x + 1), low = v - steps, next;
  double j = special_bessel_steed(low, x, y, &next);
  for (double k = 1; k <= steps; ++k) {
    double after = 2 * (low + k) / x * next - *y;
    *y = next, next = after;
  }
  if (steps == 0 || x * x / 4 < v + 1) return steps == 0 ? j : special_bessel_series(v, x, -1);
  double sign = 1, f = special_bessel_slope(v, x, &sign), mine = 1e-200, here = mine, slope = f * mine, scale = 1;
  for (double k = v; k > low + 0.5; --k) {  /* down from v to low, where the size is known */
    double before = k / x * here + slope;
    slope = (k - 1) / x * before - here;
    here = before;
    if (fabs(here) > 1e100) here *= 1e-200, slope *= 1e-200, scale *= 1e-200;
  }
  return j / here * mine * scale;
}
static double special_jv(double v, double x) {
  int whole = v == __builtin_floor(v);
  if (v != v || x != x) return __builtin_nan("");
  if (whole && fabs(v) < 1e5) return jn((int)v, x);
  if (x < 0) {
    if (!whole) return __builtin_nan("");
    return (v / 2 == __builtin_floor(v / 2) ? 1 : -1) * special_jv(v, -x);
  }
  if (whole && v < 0) return (v / 2 == __builtin_floor(v / 2) ? 1 : -1) * special_jv(-v, x);
  if (x == 0) return v > 0 ? 0 : __builtin_inf() / tgamma(v + 1);
  if (x == __builtin_inf()) return 0;
  if (x > 25 && x > v * v / 4) return special_jv_far(v, x);
  if (v < -1e5 && x < 2) return sin(3.1415926535897932 * __builtin_fmod(-v, 2)) * __builtin_inf();
  if (v < 0 ? x < 2 : x * x / 4 < v + 1) return special_bessel_series(v, x, -1);
  double y, j = special_bessel_above(fabs(v), x, &y);
  if (v > 0) return j;
  double turn = 3.1415926535897932 * __builtin_fmod(-v, 2);
  return cos(turn) * j - sin(turn) * y;
}
/* exp(e) / sqrt(2 pi s), I of a large order, or with `sign` -1 exp(-e) / sqrt(2 pi s), K over pi: Debye's expansion. */
static double special_debye(double v, double x, int sign) {
  double s = __builtin_hypot(v, x), t = v / s, square = t * t, e = sign * (s + v * log(x / (v + s)));
  double first = t * (3 - 5 * square) / (24 * v);
  double second = square * (81 - square * (462 - square * 385)) / (1152 * v * v);
  return exp(e / 2 - 0.25 * log(s)) * (0.39894228040143268 * (1 + sign * first + second)) * exp(e / 2 - 0.25 * log(s));
}
static double special_iv(double v, double x) {
  int whole = v == __builtin_floor(v);
  if (v != v || x != x || (x < 0 && !whole)) return __builtin_nan("");
  if (whole && v < 0) v = -v;
  double sign = x < 0 && v / 2 != __builtin_floor(v / 2) ? -1 : 1;
  x = fabs(x);
  if (x == 0) return v == 0 ? 1 : v > 0 ? 0 : __builtin_inf() / tgamma(v + 1);
  if (x == __builtin_inf()) return sign * x;
  if (v > 1e4) return sign * special_debye(v, x, 1);
  if (v < -1e4) {  /* I of order -v, and K */
    double turn = 3.1415926535897932 * __builtin_fmod(-v, 2);
    return special_debye(-v, x, 1) + 2 * sin(turn) * special_debye(-v, x, -1);
  }
  if (x > 720 && x > fabs(v) * 50) return sign * __builtin_inf();
  if (!(x > 30 && x > v * v)) return sign * special_bessel_series(v, x, 1);
  double mu = 4 * v * v, term = 1, sum = 1;
  for (int k = 1; k < 80 && fabs(term) > 1e-17; ++k) {
    double next = -term * (mu - (2. * k - 1) * (2. * k - 1)) / (k * 8 * x);
    if (fabs(next) >= fabs(term) && k > v) break;
    sum += term = next;
  }
  return sign * exp(x / 2) * (exp(x / 2) / sqrt(6.2831853071795865 * x)) * sum;
}
""")
