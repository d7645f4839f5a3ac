"""k-means as one compiled loop: it ends by `until`, when no point changes its cluster.

A step assigns each point to the nearest centre and moves each centre to the mean of its points; the step function says
after its results when the loop is to end. The number of steps taken is the length of what it returns.

>>> points = np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 0.0], [9.0, 1.0]])
>>> k_means()(points, points[::2])
(array([[0. , 0.5],
           [9. , 0.5]]), array([0, 0, 1, 1]), 2)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import symtensor.tensor as T
from symtensor import function, scan, until

MOST_STEPS = 1000


def nearest(points: Any, centres: Any) -> Any:
    """For each point the number of the nearest centre."""
    distances = (centres ** 2).sum(axis=1) - 2 * T.dot(points, centres.T)  # but for what is the same for all centres
    return T.argmin(distances, axis=1)


def step(centres: Any, before: Any, points: Any) -> Any:
    """Move the centres; end when every point is nearest to the centre that it was nearest to before."""
    clusters = nearest(points, centres)
    members = T.extra_ops.to_one_hot(clusters, centres.shape[0], dtype=points.dtype)
    counts = members.sum(axis=0)
    means = T.dot(members.T, points) / T.maximum(counts, 1)[:, None]
    moved = T.switch(counts[:, None] > 0, means, centres)  # a centre without points stays where it is
    return [moved, clusters], until(T.eq(clusters, before).all())


def k_means() -> Callable[..., tuple[np.ndarray, np.ndarray, int]]:
    """The function from points and first centres to the centres, the cluster of each point, and the number of steps."""
    points, first = T.dmatrix("points"), T.dmatrix("first")
    nobody = T.zeros((points.shape[0],), dtype="int64") - 1
    (centres, clusters), _ = scan(step, outputs_info=[first, nobody], non_sequences=points, n_steps=MOST_STEPS)
    f = function([points, first], [centres[-1], clusters[-1], centres.shape[0]])

    def run(points: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        centres, clusters, steps = f(points, first)
        return centres, clusters, int(steps)

    return run


def main() -> None:
    """Find the clusters that points were drawn from."""
    random = np.random.default_rng(0)
    true = random.uniform(-10, 10, (8, 2))
    points = (true[:, None] + random.standard_normal((8, 5000, 2)) / 2).reshape(-1, 2)
    centres, clusters, steps = k_means()(points, points[::5000])
    print(f"{len(points):,} points, {len(centres)} clusters, {steps} steps")
    for number, centre in enumerate(centres):
        print(f"cluster {number}: {np.sum(clusters == number):5} points around ({centre[0]:6.2f}, {centre[1]:6.2f})")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
