"""Logistic regression with slopes that may not be negative, small and exact enough."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RIDGE = 1e-3
MAX_STEPS = 100
TOLERANCE = 1e-9


def fit_logistic(
    rows: Sequence[Sequence[float]], labels: Sequence[bool]
) -> tuple[float, tuple[float, ...]]:
    """Intercept and slopes (all >= 0); both classes weigh the same whatever their numbers.

    A slope that would come out negative is fixed at 0 and the rest fitted again, so that a
    better score never lowers the probability.
    """
    features = np.asarray(rows, dtype=np.float64)
    truth = np.asarray(labels, dtype=np.float64)
    if truth.size == 0 or truth.min() == truth.max():
        raise ValueError("calibration needs samples of both kinds")
    active = list(range(features.shape[1]))
    while True:
        solution = _newton(features[:, active], truth)
        worst = int(np.argmin(solution[1:])) if active else 0
        if not active or solution[1 + worst] >= 0:
            break
        del active[worst]
    slopes = np.zeros(features.shape[1])
    slopes[active] = solution[1:]
    return float(solution[0]), tuple(map(float, slopes))


def _newton(features: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Penalised maximum likelihood by Newton's method; the intercept comes first."""
    design = np.column_stack([np.ones(len(truth)), features])
    weights = np.where(truth > 0, 0.5 / truth.sum(), 0.5 / (1 - truth).sum()) * len(truth)
    penalty = np.diag([0.0] + [RIDGE * len(truth)] * features.shape[1])
    solution = np.zeros(design.shape[1])
    for _ in range(MAX_STEPS):
        fitted = 1.0 / (1.0 + np.exp(-np.clip(design @ solution, -30, 30)))
        gradient = design.T @ (weights * (truth - fitted)) - penalty @ solution
        curvature = (design * (weights * fitted * (1 - fitted))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(solution)), gradient)
        solution = solution + np.clip(step, -5, 5)
        if np.abs(step).max() < TOLERANCE:
            break
    return solution
