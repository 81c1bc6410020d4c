"""CA-PI-SDRi as its equations are written (arXiv 2601.22504), with no thought for speed; shares no code with s5lib."""

from itertools import combinations, permutations

import numpy as np


def sdr(estimate, reference):
    """Equation (4)."""
    return 10 * np.log10(np.sum(reference**2) / np.sum((reference - estimate) ** 2))


def sdri(estimate, reference, mixture):
    """Equation (11)."""
    return sdr(estimate, reference) - sdr(mixture, reference)


def ca_pi_sdri(estimates, estimated_labels, references, reference_labels, mixture, choose=sdri, p_fn=0.0, p_fp=0.0):
    """Equations (5) to (12); ``choose`` is what the pairs maximise.  None where equation (12) divides by zero."""
    estimates, references, mixture = (np.asarray(x, dtype=np.float64) for x in (estimates, references, mixture))
    total, count = 0.0, 0
    for label in set(reference_labels) | set(estimated_labels):
        s = [references[k] for k, other in enumerate(reference_labels) if other == label]
        s_hat = [estimates[k] for k, other in enumerate(estimated_labels) if other == label]
        n_tp, n_fn, n_fp = min(len(s), len(s_hat)), max(0, len(s) - len(s_hat)), max(0, len(s_hat) - len(s))
        table = {(i, j): _scores(s_hat[i], s[j], mixture, choose) for i in range(len(s_hat)) for j in range(len(s))}
        best, value = -np.inf, 0.0
        for sigma in permutations(range(len(s_hat)), n_tp):
            for pi in combinations(range(len(s)), n_tp):
                objective = sum(table[sigma[i], pi[i]][0] for i in range(n_tp))
                if objective > best:
                    best, value = objective, sum(table[sigma[i], pi[i]][1] for i in range(n_tp))
        total += n_fn * p_fn + n_fp * p_fp + value
        count += n_tp + n_fn + n_fp
    return total / count if count else None


def _scores(estimate, reference, mixture, choose):
    value = sdri(estimate, reference, mixture)
    return (value if choose is sdri else sdr(estimate, reference)), value
