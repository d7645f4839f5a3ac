"""Special functions: their code against many digits, by mpmath; the table says how many units it may be off.

A function that is an exponential of something large loses as many units as the exponent has; that of a function that
oscillates is measured against its envelope.
"""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import GradientError, TypeMismatch
from symtensor.codegen.toolchain import toolchain
from symtensor.ops import special
from symtensor.testing.verify_grad import verify_grad

DIGITS = 60
needs_compiler = pytest.mark.skipif(toolchain() is None, reason="there is no C compiler")
draw = np.random.default_rng(0)


def _uniform(low, high, count=60):
    return draw.uniform(low, high, count)


def _powers(low, high, count=40):
    return 10.0 ** draw.uniform(low, high, count)


def _lower(a, x):
    """gammainc by its series, as many terms as it takes; mpmath's own gives up for large arguments."""
    term = total = mpf(1)
    n = 1
    while term > total * mpf(10) ** -DIGITS:
        term *= x / (a + n)
        total += term
        n += 1
    return total * mpmath.exp(a * mpmath.log(x) - x - mpmath.loggamma(a + 1))


def _upper(a, x):
    if x < a + 1:
        return 1 - _lower(a, x)
    fraction = mpf(0)
    for n in range(3000, 0, -1):
        fraction = -n * (n - a) / (x + 2 * n + 1 - a + fraction)
    return mpmath.exp(a * mpmath.log(x) - x - mpmath.loggamma(a)) / (x + 1 - a + fraction)


def _erfcinv(p):
    y = mpmath.sqrt(-mpmath.log(p)) if p < 0.1 else mpmath.erfinv(1 - p)
    for _ in range(60 if p < 0.1 else 0):
        y += (mpmath.erfc(y) / p - 1) * p * mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(y * y)
    return y


def _exponent(found):
    return max(1.0, abs(float(mpmath.log(abs(found)))))


def _envelope(v, x):
    return float(mpmath.sqrt(mpmath.besselj(v, x) ** 2 + mpmath.bessely(v, x) ** 2))


_A = _powers(-4, 4, 60)
_NEAR = _powers(1, 4, 30)
_X = np.concatenate([_A * _powers(-1, 1, 60), _NEAR + np.sqrt(_NEAR) * draw.uniform(-2, 2, 30)])
_GAMMA_ARGUMENTS = np.concatenate([_A, _NEAR]), _X
_ORDERS = np.concatenate([draw.integers(-5, 30, 40).astype(float), _uniform(-20, 40, 60)])

# op, exact function, arguments, units in the last place, and per what: 1, or a function of the arguments and the result
ACCURACY = {
    "erfcx": (lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [np.concatenate([_uniform(-26, 40, 100), _powers(1, 100)])],
              4, None),
    "erfinv": (mpmath.erfinv, [np.concatenate([_uniform(-1, 1), 1 - _powers(-15, 0), _powers(-300, 0)])], 2, None),
    "erfcinv": (_erfcinv, [np.concatenate([_uniform(0.1, 2), _powers(-12, -1)])], 2, None),
    "gamma": (mpmath.gamma, [np.concatenate([_uniform(-10, 20, 100), _uniform(20, 170)])], 10, None),
    "gammaln": (lambda x: mpmath.log(abs(mpmath.gamma(x))), [np.concatenate([_uniform(-10, 20, 100), _powers(0, 300)])],
                6, None),
    "psi": (mpmath.digamma, [np.concatenate([_uniform(0, 12, 100), 1.4616321449683622 + _uniform(-1e-3, 1e-3),
                                             _powers(-300, 300)])], 6, None),
    "psi below zero": (mpmath.digamma, [_uniform(-40, 0, 100)], 10, lambda found, x: 1 / min(abs(found), 1)),
    "polygamma": (lambda n, x: mpmath.polygamma(int(n), x), [draw.integers(1, 8, 80).astype(float), _powers(-4, 4, 80)],
                  10, None),
    "gammainc": (_lower, _GAMMA_ARGUMENTS, 12, lambda found, a, x: _exponent(found)),
    "gammaincc": (_upper, _GAMMA_ARGUMENTS, 12, lambda found, a, x: _exponent(found)),
    "jv": (mpmath.besselj, [_ORDERS, 0.5 * abs(_ORDERS) + _powers(-1, 2.5, 100)], 200,
           lambda found, v, x: _envelope(v, x) / abs(found)),
    "iv": (mpmath.besseli, [_ORDERS, _powers(-2, 2.8, 100)], 8, lambda found, v, x: _exponent(found)),
}


@needs_compiler
@pytest.mark.parametrize("name", ACCURACY)
def test_accuracy_of_code(name):
    exact, arguments, units, per = ACCURACY[name]
    variables = [T.dvector(f"x{i}") for i in range(len(arguments))]
    computed = st.function(variables, getattr(special, name.split()[0])(*variables))(*arguments)
    with mpmath.workdps(DIGITS):
        for found, *values in zip(computed, *arguments):
            wanted = exact(*map(mpf, values))
            allowed = units * (per(wanted, *map(mpf, values)) if per else 1)
            if not abs(wanted) > 1e-290:
                assert abs(found) < 2e-290, (values, found)
                continue
            error = float(abs(mpf(float(found)) - wanted) / mpf(float(np.spacing(abs(float(wanted))))))
            assert error <= allowed, f"{name}{tuple(values)}: {found!r} is {error:.1f} units off, not {allowed}"


@needs_compiler
@pytest.mark.parametrize("name", ACCURACY)
def test_float32_is_rounded_once(name):
    _, arguments, _, _ = ACCURACY[name]
    op = getattr(special, name.split()[0])
    with np.errstate(over="ignore"):
        narrow = [a.astype("float32") for a in arguments]
    variables = [T.fvector(f"x{i}") for i in range(len(arguments))]
    wide = [T.dvector(f"y{i}") for i in range(len(arguments))]
    found = st.function(variables, op(*variables))(*narrow)
    with np.errstate(over="ignore"):
        wanted = st.function(wide, op(*wide))(*[a.astype("float64") for a in narrow]).astype("float32")
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, wanted)


LIMITS = [
    ("erfcx", (-30.0,), np.inf), ("erfcx", (np.inf,), 0), ("erfinv", (1.0,), np.inf), ("erfinv", (-1.0,), -np.inf),
    ("erfinv", (1.5,), np.nan), ("erfcinv", (0.0,), np.inf), ("erfcinv", (2.0,), -np.inf), ("erfcinv", (3.0,), np.nan),
    ("psi", (0.0,), -np.inf), ("psi", (-3.0,), np.nan), ("psi", (np.inf,), np.inf), ("gammaln", (-2.0,), np.inf),
    ("polygamma", (1.0, -2.0), np.inf), ("polygamma", (1.5, 2.0), np.nan), ("polygamma", (1.0, -np.inf), np.inf),
    ("gammainc", (2.0, 0.0), 0), ("gammainc", (2.0, np.inf), 1), ("gammaincc", (2.0, np.inf), 0),
    ("gammainc", (-1.0, 1.0), np.nan), ("gammainc", (0.0, 1.0), 1), ("gammainc", (1.5, 1e308), 1),
    ("gammaincc", (1e12, 1e12), 0.5 - 1 / 3 / np.sqrt(2e12 * np.pi)), ("jv", (0.0, 0.0), 1), ("jv", (0.5, np.inf), 0),
    ("jv", (0.5, -1.0), np.nan), ("jv", (-0.5, 0.0), np.inf), ("jv", (1e9, 1e10), np.nan), ("iv", (0.0, 800.0), np.inf),
    ("iv", (-0.5, 0.0), np.inf), ("iv", (0.5, -1.0), np.nan), ("iv", (2.0, np.inf), np.inf),
    ("iv", (2e4, 2e4), np.inf), ("iv", (2e4, 1e4), 0),
]


@needs_compiler
@pytest.mark.parametrize("name, at, limit", LIMITS, ids=str)
def test_limits(name, at, limit):
    variables = T.dscalars(*"xy"[:len(at)]) if len(at) > 1 else [T.dscalar("x")]
    found = st.function(variables, getattr(special, name)(*variables))(*at)
    np.testing.assert_allclose(found, limit, rtol=1e-15)


@pytest.mark.parametrize("function, at", [
    (T.tri_gamma, 1.3), (T.j0, 2.5), (T.j1, 2.5), (T.i0, 1.5), (T.i1, 1.5), (lambda x: T.chi2sf(x, 3), 2.0),
    (lambda x: T.gammal(2.5, x), 1.2), (lambda x: T.gammau(2.5, x), 1.2), (lambda x: T.jv(0.3, x), 4.0),
    (lambda x: T.gammainc(1, x), 0.5),
])
def test_derivatives_of_compositions(function, at):
    verify_grad(function, [np.array([at])])


def test_the_slope_of_gammainc_at_zero_is_that_of_its_order():
    x = T.dvector("x")
    slopes = [st.function([x], st.grad(T.gammainc(k, x).sum(), x))([0.0])[0] for k in (0.5, 1.0, 2.0)]
    assert slopes == [np.inf, 1.0, 0.0]


def test_a_derivative_by_the_order_is_refused_and_by_the_argument_given():
    k, x = T.dscalars("k", "x")
    with pytest.raises(GradientError, match=r"gammainc has no derivative by k: .*order(.*\n)*  fix      wrap this"):
        st.grad(T.gammainc(k, x), k)
    with pytest.raises(GradientError, match="jv has no derivative by k"):
        st.Rop(T.jv(k, x), k, np.float64(1.0))
    st.grad(T.gammainc(k, x), x)
    st.grad(T.gammainc(st.gradient.disconnected_grad(k), x), x)


def test_complex_numbers_are_refused():
    for op in (special.erfcx, special.psi, special.erfinv):
        with pytest.raises(TypeMismatch, match=f"{op} takes real numbers, not complex128"):
            op(T.zvector("z"))


def test_kernels_with_the_same_functions_share_a_unit():
    x, y = T.dvector("x"), T.dvector("y")
    f = st.function([x, y], [T.psi(x), T.polygamma(2, y), T.erfcx(x).sum(), T.erfinv(y)])
    found = f([1.0], [0.5, 0.25])
    np.testing.assert_allclose(found[0], -np.euler_gamma)
