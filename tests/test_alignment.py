"""Where a text lies in its sound: against all paths there are."""

from itertools import product

import numpy as np
import pytest

from asr_helpers.alignment import align_tokens


def written(path, blank=0):
    """The labels that CTC reads from a path of states: repeats merged, then blanks left out."""
    merged = [state for place, state in enumerate(path) if place == 0 or state != path[place - 1]]
    return [state for state in merged if state != blank]


@pytest.mark.parametrize("labels", [[1], [1, 2], [1, 1], [2, 1, 2]], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_the_path_is_the_likeliest_of_all(labels, seed):
    frames = 5
    log_probs = np.log(np.random.default_rng(seed).dirichlet(np.ones(3), frames))
    scores = {
        path: sum(log_probs[frame, state] for frame, state in enumerate(path))
        for path in product(range(3), repeat=frames)
        if written(path) == labels
    }
    spans, score = align_tokens(log_probs, labels, blank=0)
    assert score * frames == pytest.approx(max(scores.values()))
    path = [0] * frames
    for label, (first, last) in zip(labels, spans, strict=True):
        path[first : last + 1] = [label] * (last - first + 1)
    assert tuple(path) == max(scores, key=scores.__getitem__)


def test_labels_that_do_not_fit_have_no_path():
    assert align_tokens(np.log(np.full((2, 3), 1 / 3)), [1, 1], blank=0)[1] == -np.inf


def test_one_frame_and_no_token():
    spans, score = align_tokens(np.log([[0.5, 0.25, 0.25]]), [], blank=0)
    assert spans.shape == (0, 2)
    assert score == pytest.approx(np.log(0.5))
