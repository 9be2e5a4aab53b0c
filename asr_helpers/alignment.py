"""07  Where a text lies in its sound.

Conventions: an emission is (frames, vocabulary) probabilities. A token's span is its first frame and its last one, both
included; what is silent between two tokens belongs to neither.
"""

from collections.abc import Sequence

import numpy as np


def align_tokens(log_probs: np.ndarray, ids: Sequence[int], blank: int) -> tuple[np.ndarray, float]:
    """The likeliest CTC path that writes some tokens (Viterbi's algorithm).

    Args:
        log_probs: (frames, vocabulary) natural logarithms.
        ids: of the tokens, (L,).
        blank: the blank's id.

    Returns:
        (L, 2), the first and the last frame of each token; and the mean of the path's logarithms, -inf where there are
        too few frames for the tokens.

    Source:
        A. Graves and others, "Connectionist temporal classification", 2006, section 4.1, with max in place of sum.

    >>> log_probs = np.log(np.full((4, 3), 0.1) + 0.7 * np.eye(3)[[1, 0, 2, 2]])
    >>> align_tokens(log_probs, [1, 2], blank=0)[0].tolist()
    [[0, 0], [2, 3]]
    """
    states = np.full(2 * len(ids) + 1, blank)  # a blank before, between and behind the tokens
    states[1::2] = ids
    # Over a blank one may go from a token to the next, where they differ.
    may_skip = np.zeros(len(states), bool)
    may_skip[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    scores = np.full(len(states), -np.inf)
    scores[:2] = log_probs[0, states[:2]]
    steps = np.zeros((len(log_probs), len(states)), np.int8)
    for frame, row in enumerate(log_probs[1:], 1):
        ways = np.full((3, len(states)), -np.inf)  # to stay, or come from one or two states before
        ways[0], ways[1, 1:], ways[2, 2:] = scores, scores[:-1], scores[:-2]
        ways[2, ~may_skip] = -np.inf
        steps[frame] = ways.argmax(0)
        scores = ways.max(0) + row[states]
    state = len(states) - 1 - int(scores[-2:].argmax() == 0 and len(states) > 1)
    score = float(scores[state]) / len(log_probs)
    spans = np.full((len(ids), 2), -1)
    for frame in range(len(log_probs) - 1, -1, -1):
        if state % 2:
            spans[state // 2, 0] = frame
            if spans[state // 2, 1] < 0:
                spans[state // 2, 1] = frame
        state -= int(steps[frame, state])
    return spans, score
