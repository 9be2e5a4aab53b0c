"""04  WER in the form that the library `evaluate` knows.

It imports evaluate and datasets at once, so it is imported where it is used.
"""

import datasets
import evaluate

from .evaluation import score


class WordErrorRate(evaluate.Metric):
    """WER, CER and their counts as an `evaluate.Metric` that needs no network.

    Its `compute(predictions=hypotheses, references=references)` returns `Scores.as_dict()`.

    >>> WordErrorRate().compute(predictions=["HELLO WORD"], references=["HELLO WORLD"])["wer"]
    0.5
    """

    def _info(self):
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description="Word and character error rate, by jiwer.",
            citation="",
            inputs_description="predictions: hypotheses; references: references.",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _download_and_prepare(self, dl_manager):
        pass

    def _compute(self, predictions, references):
        return score(references, predictions).as_dict()
