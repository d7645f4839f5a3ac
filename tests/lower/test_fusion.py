"""What shares a kernel: the structure of the programs that common expressions become."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.ir.interpret import evaluate
from symtensor.lower.program import Call, Copy, Launch, Routine


def layer_norm(x):
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / T.sqrt((centred * centred).mean(axis=1, keepdims=True) + 1e-5)


def cross_entropy(x, labels):
    return T.nnet.categorical_crossentropy(T.nnet.softmax(x), labels)


X, Y, V, LABELS = T.dmatrix("X"), T.dmatrix("Y"), T.dvector("V"), T.lvector("LABELS")
VALUES = {X: np.random.RandomState(0).randn(6, 7), Y: np.random.RandomState(1).randn(6, 7),
          V: np.random.RandomState(2).randn(7), LABELS: np.array([0, 6, -1, 3, 3, 2])}
ONE_KERNEL = {
    "elementwise chain": lambda: [T.tanh(X * 2 + 1) * T.nnet.sigmoid(Y) + T.exp(-X * X)],
    "several outputs": lambda: [X + Y, X - Y, T.exp(X) * (X + Y)],
    "bias and activation": lambda: [T.tanh(X + V)],
    "reduction with its producers": lambda: [(T.exp(X) * Y).sum(axis=1)],
    "two reductions of one matrix": lambda: [X.sum(axis=1), (X * X).sum(axis=1), X.max(axis=1)],
    "softmax": lambda: [T.nnet.softmax(X)],
    "softmax gradient": lambda: [st.grad((T.nnet.softmax(X) * Y).sum(), X)],
    "log softmax": lambda: [T.log(T.nnet.softmax(X))],
    "log softmax gradient": lambda: [st.grad((T.nnet.logsoftmax(X) * Y).sum(), X)],
    "cross entropy": lambda: [cross_entropy(X, LABELS)],
    "cross entropy gradient": lambda: [st.grad(cross_entropy(X, LABELS).mean(), X)],
    "cross entropy with dense targets": lambda: [T.nnet.categorical_crossentropy(T.nnet.softmax(X), Y)],
    "layer norm": lambda: [layer_norm(X)],
    "layer norm gradient": lambda: [st.grad((layer_norm(X) * Y).sum(), X)],
    "layer norm, scaled": lambda: [layer_norm(X) * V + V],
    "log sum exp": lambda: [T.log(T.exp(X).sum(axis=1))],
    "transposed access": lambda: [X + Y.T.T * 2],
    "slices": lambda: [X[:, 1:] * 2 + Y[:, :-1]],
    "a concatenation": lambda: [T.concatenate([X, Y * 2], axis=1)],
    "a gather": lambda: [X[:, [0, 2, 2]] * 2],
    "identity matrix": lambda: [T.eye(X.shape[0], X.shape[1]) + X],
}


@pytest.mark.parametrize("name", ONE_KERNEL)
def test_one_kernel(name):
    outputs = ONE_KERNEL[name]()
    inputs = [v for v in VALUES]
    f = st.function(inputs, outputs, on_unused_input="ignore")
    assert f.launches == len(f.program.instructions) == 1, [k.name for k in f.kernels]
    given = [VALUES[v] for v in inputs]
    for got, want in zip(f(*given), evaluate(outputs, VALUES)):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("outputs", [[T.exp(X).sum()], [(X * X).sum(axis=0)], [T.tanh(X), T.tanh(X).sum(axis=0) * 2]])
def test_reductions_over_everything_or_over_rows_are_two_kernels(outputs):
    """Blocks side by side, then their total with what follows from it: the bits do not depend on the threads."""
    f = st.function([X], outputs)
    assert [k.name.endswith("_total") for k in f.kernels] == [False, True]
    given = np.random.RandomState(0).randn(3000, 40)
    for got, want in zip(f(given), evaluate(outputs, {X: given})):
        np.testing.assert_allclose(got, want, rtol=1e-10)


def mlp(batch_dtype="float32"):
    """A training step of a small network: the function and its parameters."""
    rng = np.random.RandomState(0)
    x, y = T.fmatrix("x"), T.lvector("y")
    sizes = (20, 16, 12, 5)
    weights = [st.shared(rng.randn(a, b).astype("float32") * 0.3, name=f"w{n}")
               for n, (a, b) in enumerate(zip(sizes, sizes[1:]))]
    biases = [st.shared(np.zeros(b, "float32"), name=f"b{n}") for n, b in enumerate(sizes[1:])]
    hidden = x
    for number, (w, b) in enumerate(zip(weights, biases)):
        hidden = T.dot(hidden, w) + b
        if number < 2:
            hidden = T.tanh(hidden)
    cost = cross_entropy(hidden, y).mean()
    parameters = weights + biases
    step = st.function([x, y], cost, updates=[(p, p - np.float32(0.1) * g)
                                              for p, g in zip(parameters, st.grad(cost, parameters))])
    return step, parameters


def test_training_step_updates_in_place():
    step, parameters = mlp()
    program = step.program
    kinds = [type(i) for i in program.instructions]
    assert kinds.count(Routine) == 8 and kinds.count(Launch) <= 12 and Copy not in kinds and Call not in kinds
    assert sorted(program.written) == list(range(6)) and not program.updates
    # No gradient of a parameter exists: besides the activations there are at most as many bytes of their gradients.
    activations = 1000 * (16 + 12 + 5) * 4
    assert step.peak_bytes({"x": (1000, 20), "y": (1000,)}) <= 2 * activations


def test_training_step_agrees_with_numpy():
    step, parameters = mlp()
    rng = np.random.RandomState(1)
    x, y = rng.randn(9, 20).astype("float32"), rng.randint(0, 5, 9)
    with st.config.change(backend="numpy"):
        reference, expected = mlp()
    for _ in range(5):
        np.testing.assert_allclose(step(x, y), reference(x, y), rtol=1e-5)
    for got, want in zip(parameters, expected):
        np.testing.assert_allclose(got.get_value(), want.get_value(), rtol=1e-4, atol=1e-6)


def test_recomputation_is_bounded():
    """Softmax keeps its exponentials in a row of scratch rather than computing them twice."""
    (kernel,) = st.function([X], T.nnet.softmax(X)).kernels
    assert kernel.text.count("exp_float64(") == 1


def test_long_chains_are_cut_into_several_kernels():
    x = y = T.dvector("x")
    for _ in range(1000):
        y = T.sin(y) + x
    f = st.function([x], y)
    assert 10 < f.launches < 20 and len(f.kernels) < 5  # most are the same kernel
    assert np.isfinite(f(np.ones(3))).all()


def test_a_chain_of_cheap_values_is_not_cheap():
    """Each sum of products follows cheaply from the one before; the last does not follow cheaply from all products."""
    x = last = T.fmatrix("x")
    w, other = T.fmatrix("w"), T.fmatrix("other")
    steps = 300
    for _ in range(steps):
        last = T.dot(T.tanh(last), w) + T.dot(x, other)
    cost = T.sqr(last).sum()
    f = st.function([x, w, other], st.grad(cost, [w, other]))
    assert f.launches > steps
    assert max(len(one.buffers) for one in f.program.instructions if isinstance(one, Launch)) < 8


def kinds(f):
    return [origin[0] for origin in f.program.origins]


def test_permuted_axes_that_a_shape_runs_through_are_made_first():
    """No element is found by a division, and draws keep their loop over all elements."""
    from symtensor.tensor.shared_randomstreams import RandomStreams
    x = T.tensor4("x", dtype="float32")
    flat = x.dimshuffle(0, 3, 1, 2).flatten(2)
    f = st.function([x], [T.exp(flat) * 2, flat * RandomStreams(1).binomial(flat.shape, p=0.5, dtype="float32")])
    assert kinds(f)[0] == "dimshuffle[0,3,1,2]" and not any(" % " in kernel.text for kernel in f.kernels[:2])
    given = np.random.RandomState(0).randn(2, 3, 4, 5).astype("float32")
    wanted = given.transpose(0, 3, 1, 2).reshape(2, -1)
    doubled, kept = f(given)
    np.testing.assert_allclose(doubled, np.exp(wanted) * 2, rtol=1e-6)
    assert set(np.unique(kept / wanted)) == {0, 1}
    # Where the last axis is as it was, only rows are found by division: that costs little.
    rows = st.function([x], T.exp(x.dimshuffle(1, 0, 2, 3).reshape((-1, x.shape[3]))))
    assert rows.launches == 1


def test_permuted_axes_that_are_read_again_and_again_are_made_first():
    x, y = T.TensorType("float64", (40, 50))("x"), T.TensorType("float64", (6, 50, 40))("y")
    f = st.function([x, y], x.T + y)
    assert kinds(f) == ["dimshuffle[1,0]", "add"]
    small = T.TensorType("float64", (4, 5))("x"), T.TensorType("float64", (6, 5, 4))("y")
    assert st.function(small, small[0].T + small[1]).launches == st.function([x], T.exp(x.T) + 1).launches == 1
    given = np.random.RandomState(0).randn(40, 50), np.random.RandomState(1).randn(6, 50, 40)
    assert np.array_equal(f(*given), given[0].T + given[1])


def test_numbers_that_are_drawn_are_kept_where_a_reader_wants_each_several_times():
    from symtensor.tensor.shared_randomstreams import RandomStreams
    x, z, dy = (T.tensor4(name, dtype="float32") for name in ("x", "z", "dy"))
    mask = RandomStreams(1).binomial(x.shape, p=0.5, dtype="float32")
    y = T.signal.pool.pool_2d(z, (2, 2), True)
    f = st.function([x, z, dy], [x * mask, st.grad(None, z, known_grads={y: dy * mask})])
    (slope,) = [kernel for kernel in f.kernels if "overlap" in kernel.name]
    assert " ^ " not in slope.text  # as bits are mixed
    plain = st.function([x, z], [x * mask, T.exp(z) * mask])
    assert not [b for b in plain.program.buffers if b.kind.name == "ARENA"]


def test_what_follows_from_one_array_and_vectors_is_computed_where_it_is_read():
    """The normalized images, though five operands make them: four of these are as long as there are channels."""
    x = T.TensorType("float32", (2, 8, 8, 32))("x")
    vectors = [T.TensorType("float32", (32,))(name) for name in ("mean", "scale", "gamma", "beta")]
    mean, scale, gamma, beta = vectors
    y = T.nnet.relu((x - mean) * scale * gamma + beta)
    f = st.function([x, *vectors], [T.signal.pool.pool_2d(y.dimshuffle(0, 3, 1, 2), (2, 2), True), y.sum((0, 1, 2))])
    assert kinds(f)[0].startswith("window_max") and not any(kind.startswith("sub") for kind in kinds(f))


def test_a_part_and_its_transpose_are_read_at_their_own_places():
    x = T.TensorType("float64", (None, 4))("x")
    k = T.minimum(x.shape[0], 4)
    own = np.arange(12.0).reshape(3, 4)
    corner, across = st.function([x], [x[:k, :k], x[:k, :k].T])(own)
    np.testing.assert_array_equal(corner, own[:, :3])
    np.testing.assert_array_equal(across, own[:, :3].T)
