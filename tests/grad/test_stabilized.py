"""The stable form that is differentiated is found once for each cost."""

import gc
import weakref

import symtensor as st
import symtensor.tensor as T
from symtensor.rewrite import phases


def counted(monkeypatch):
    """A list that grows with each phase that runs."""
    runs = []
    run = phases.run_phase
    monkeypatch.setattr(phases, "run_phase", lambda *arguments: (runs.append(arguments[1]), run(*arguments))[1])
    return runs


def test_slopes_asked_for_one_by_one(monkeypatch):
    runs = counted(monkeypatch)
    x, w, b = T.dmatrix("x"), T.dmatrix("w"), T.dvector("b")
    cost = T.log(1 + T.exp(T.dot(x, w) + b)).sum()
    slopes = [st.grad(cost, v) for v in (w, b, x)]
    assert len(runs) == 3  # the phases of one run
    together = st.grad(cost, [w, b, x])
    assert len(runs) == 3 and [str(s.type) for s in slopes] == [str(s.type) for s in together]


def test_what_is_kept_in_the_cost_makes_a_form_of_its_own(monkeypatch):
    runs = counted(monkeypatch)
    x = T.dvector("x")
    inner = T.exp(x)
    cost = T.log(1 + inner).sum()
    st.grad(cost, x)
    slope = st.grad(cost, inner)
    assert len(runs) == 6
    assert st.function([inner], slope)([1.0]).tolist() == [0.5]


def test_the_form_goes_with_the_cost():
    x = T.dvector("x")
    cost = T.log(1 + T.exp(x)).sum()
    st.grad(cost, x)
    gone = weakref.ref(cost)
    del cost
    gc.collect()
    assert gone() is None
