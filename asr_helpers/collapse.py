"""05  Signs that a training learns nothing, in words."""

from collections.abc import Sequence

PLATEAU = 0.98  # of all frames blank: nothing, or next to nothing, is written
USELESS = 0.9  # a WER from which on a model is no recogniser, and the share of the WER by chance that is no better


def collapse_warning(metrics: dict[str, float], losses: Sequence[float] = (), before: float | None = None) -> str:
    """What an evaluation and the losses so far warn of, in words; "" for nothing.

    Args:
        metrics: an evaluation's, with or without Trainer's `eval_` before their names, by `evaluation.compute_metrics`.
        losses: of the training, as they were logged.
        before: the WER, or the CER where the language is measured by it, of the model as the training began. Given
            after the training: its end is judged.

    >>> collapse_warning({"wer": 0.2, "chance_wer": 1.0, "blank_share": 0.57})
    ''
    """
    found = {name.removeprefix("eval_"): value for name, value in metrics.items()}
    if len(losses) > 2 and not losses[-1] <= 1.5 * min(losses) + 0.5:
        return (
            f"The loss has risen from {min(losses):.2f} to {losses[-1]:.2f}: the training diverges. "
            "Lower the learning rates."
        )
    if found.get("blank_share", 0.0) >= PLATEAU:
        return (
            f"{found['blank_share']:.0%} of the validation frames are blank: the model writes next to nothing. "
            "Every CTC training with a fresh head starts on this plateau; one that stays on it has collapsed, and "
            "needs a higher head_learning_rate or more steps."
        )
    if before is None:
        return ""
    name, units = ("cer", "characters") if "chance_cer" in found else ("wer", "words")
    rate, chance = found[name], found.get(f"chance_{name}", float("inf"))
    name = name.upper()
    if rate >= max(min(USELESS, USELESS * chance), 0.5):
        return (
            f"The model learnt nothing: its texts, {name} {rate:.2f}, hardly fit their clips better than other clips'. "
            "Hear some clips with their transcripts, which may be mixed up; else train longer, or at other rates."
        )
    # One word more or less is no verdict: in 8 words the WER moves by 0.35 through chance alone, in 400 by 0.05.
    if rate > before + max(0.05, found.get(units, float("inf")) ** -0.5):
        return f"The training made it worse, {name} {before:.2f} before and {rate:.2f} after: lower the learning rates."
    return ""
