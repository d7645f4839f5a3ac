"""How the examples move their parameters: Adam, as a list of updates of shared variables.

>>> from symtensor import function
>>> x = shared(np.float32(3), name="x")
>>> step = function([], x, updates=adam((x - 1) ** 2, [x], rate=0.1))
>>> for _ in range(200):
...     _ = step()
>>> abs(float(x.get_value()) - 1) < 0.01
True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import symtensor.tensor as T
from symtensor import grad, shared

__all__ = ["adam"]

NORM = 1.0


def adam(loss: Any, parameters: Sequence[Any], rate: Any) -> list[tuple[Any, Any]]:
    """Updates of the parameters by Adam, with slopes cut back to a norm of at most NORM."""
    slopes = grad(loss, list(parameters))
    norm = T.sqrt(sum((slope ** 2).sum() for slope in slopes))
    time = shared(np.float32(0), name="time")
    now = time + 1
    updates = [(time, now)]
    for parameter, slope in zip(parameters, slopes):
        slope = slope * T.minimum(1, NORM / norm)
        mean, square = (shared(np.zeros_like(parameter.get_value())) for _ in range(2))
        new_mean, new_square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope ** 2
        step = (new_mean / (1 - 0.9 ** now)) / (T.sqrt(new_square / (1 - 0.99 ** now)) + 1e-8)
        updates += [(mean, new_mean), (square, new_square), (parameter, parameter - rate * step)]
    return updates
