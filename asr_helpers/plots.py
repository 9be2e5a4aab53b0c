"""Still pictures of what each stage does. Every function returns a figure and opens none.

Conventions: waveforms are (num_samples,) float32, times in seconds, frequencies in kHz.
Colours are Okabe and Ito's, which colour-blind readers tell apart; letters or labels stand
beside them. Text from outside is drawn as it is: two dollar signs in it make no formula. A
letter that no installed font has is drawn as a box.
"""

import io
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from . import InputError, audio
from .collation import IGNORED
from .evaluation import AlignedWord, Scores
from .recordings import clock
from .wording import add_fonts, label, mark

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes

    from .confidence import HeardWords
    from .inference import Word
    from .recordings import HeardPart, Part

BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#767676",
)  # fmt: skip
KIND_COLOURS = {"H": GREEN, "S": VERMILION, "D": BLUE, "I": PURPLE}
KIND_NAMES = {"H": mark("hit"), "S": mark("substitution"), "D": mark("deletion"), "I": mark("insertion")}
WIDTH = 9.0  # inches
COLUMNS = 1440  # of a waveform: two for each pixel


class Picture(Figure):
    """A figure that any notebook shows, whatever its matplotlib backend: none needs to be loaded."""

    def _repr_png_(self) -> bytes:
        drawn, file = io.BytesIO(), io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")
            self.savefig(drawn, format="png")
        # A palette of 128 colours: a third of the bytes, and no difference to see.
        Image.open(drawn).convert("RGB").quantize(128).save(file, "png", optimize=True)
        return file.getvalue()


def _figure(rows: int, height: float, **kwargs: Any) -> tuple[Figure, Any]:
    if not rows:
        raise InputError("There is nothing to draw.")
    add_fonts()
    figure = Picture(figsize=(WIDTH, height), dpi=80, layout="constrained", facecolor="white")
    return figure, figure.subplots(rows, **kwargs)


def _draw_waveform(axes: "Axes", waveform: np.ndarray, sampling_rate: int) -> None:
    waveform = audio.as_waveform(waveform)
    seconds, step = len(waveform) / sampling_rate, 1.0
    if len(waveform) > 8 * COLUMNS:  # a line down and up each column looks the same and is drawn in a tenth of the time
        many = len(waveform) // COLUMNS
        columns = waveform[: len(waveform) // many * many].reshape(-1, many)
        waveform = np.stack([columns.min(axis=1), columns.max(axis=1)], axis=1).ravel()
        step = many / 2
    axes.plot(np.arange(len(waveform)) * step / sampling_rate, waveform, color=BLUE, linewidth=0.6)
    axes.set_xlim(0, seconds)
    axes.set_ylabel(label("amplitude"))


def _draw_spectrogram(axes: "Axes", waveform: np.ndarray, sampling_rate: int) -> None:
    extent = (0, len(waveform) / sampling_rate, 0, sampling_rate / 2_000)
    # Steps of 3 dB and no interpolation: noise in fine shades would make the PNG ten times larger.
    levels = np.round(audio.spectrogram(waveform, sampling_rate) / 3) * 3
    axes.imshow(
        levels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-60, vmax=0, interpolation="nearest"
    )
    axes.set_ylabel(label("frequency (kHz)"))


def plot_clip(waveform: np.ndarray, sampling_rate: int, title: str = "", highest: float | None = None) -> Figure:
    """A clip's waveform and spectrogram on one time axis.

    Args:
        waveform: (num_samples,) float32.
        title: drawn above.
        highest: where the frequency axis ends, kHz; None is half the rate. What the rate cannot carry is grey.
    """
    figure, (top, bottom) = _figure(2, 4.0, sharex=True)
    _draw_waveform(top, waveform, sampling_rate)
    _draw_spectrogram(bottom, waveform, sampling_rate)
    bottom.set(xlabel=label("time (s)"), ylim=(0, highest or sampling_rate / 2_000), facecolor="#DDDDDD")
    top.set_title(title, parse_math=False)
    return figure


def plot_rates(waveforms: Mapping[int, np.ndarray]) -> Figure:
    """The same sound at several rates: each row a spectrogram up to half its rate, on one frequency axis.

    Args:
        waveforms: by sampling rate in Hz, (num_samples,) each.
    """
    figure, rows = _figure(len(waveforms), 1.9 * len(waveforms), sharex=True, squeeze=False)
    highest = max(waveforms) / 2_000
    for axes, (rate, waveform) in zip(rows[:, 0], waveforms.items(), strict=True):
        _draw_spectrogram(axes, waveform, rate)
        axes.set_ylim(0, highest)
        axes.set_facecolor("#DDDDDD")
        title = label(
            "{rate:,} samples per second: nothing above {highest:g} kHz can be written", rate=rate, highest=rate / 2_000
        )
        axes.set_title(title, fontsize=10)
    rows[-1, 0].set_xlabel(label("time (s)"))
    return figure


def plot_durations(durations: Sequence[float]) -> Figure:
    """How long clips are: a histogram, in seconds."""
    figure, axes = _figure(1, 2.8)
    axes.hist(durations, bins=24, color=BLUE, edgecolor="white")
    axes.set_xlabel(label("duration (s)"))
    axes.set_ylabel(label("clips"))
    return figure


def plot_counts(counts: Mapping[str, int], what: str) -> Figure:
    """How often each of some names occurs, the commonest first.

    Args:
        counts: by name: characters, intents, voices.
        what: the axis's label.
    """
    pairs = Counter(counts).most_common()
    figure, axes = _figure(min(len(pairs), 1), 2.8)
    axes.bar(range(len(pairs)), [count for _, count in pairs], color=BLUE)
    names = [label("space") if name == " " else name for name, _ in pairs]
    slanted = max(map(len, names)) > 5
    style = {"rotation": 45, "ha": "right"} if slanted else {}
    axes.set_xticks(range(len(pairs)), names, parse_math=False, **style)
    axes.set_ylabel(what, parse_math=False)
    axes.margins(x=0.01)
    return figure


def plot_splits(splits: Mapping[str, tuple[Mapping[str, int], Mapping[str, int]]]) -> Figure:
    """Ways to split rows: for each, how many clips of each voice are to train on and how many to test with.

    Args:
        splits: by name, the train and the test clips of each voice, as counts.
    """
    figure, rows = _figure(len(splits), 1.5 + 1.5 * len(splits), sharex=True, squeeze=False)
    voices = sorted(set().union(*(half for halves in splits.values() for half in halves)))
    for axes, (name, (train, test)) in zip(rows[:, 0], splits.items(), strict=True):
        below = [train.get(voice, 0) for voice in voices]
        axes.bar(range(len(voices)), below, color=BLUE, label=label("train"))
        above = [test.get(voice, 0) for voice in voices]
        axes.bar(
            range(len(voices)), above, bottom=below, color=ORANGE, hatch="//", edgecolor="white", label=label("test")
        )
        axes.set_title(name, fontsize=10, parse_math=False)
        axes.set(ylabel=label("clips"), ylim=(0, 1.1 * max(map(sum, zip(below, above, strict=True)))))
        axes.margins(x=0.01)
    handles, labels = rows[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=8, frameon=False)
    rows[-1, 0].set_xticks(range(len(voices)), voices, rotation=45, ha="right", fontsize=8, parse_math=False)
    return figure


def plot_scores(scores: Mapping[str, Scores]) -> Figure:
    """Error rates of several sets of utterances, each with its 95 % interval: by words, or by the language's metric.

    Args:
        scores: by name, from `evaluation.score`; all by one metric.
    """
    figure, axes = _figure(min(len(scores), 1), 1.1 + 0.45 * len(scores))
    for row, result in enumerate(scores.values()):
        low, high = result.interval
        axes.plot([low, high], [row, row], color=BLUE, linewidth=3, solid_capstyle="butt")
        axes.plot(vars(result)[result.metric], row, "o", color=VERMILION, markersize=8)
    axes.set_yticks(range(len(scores)), scores, parse_math=False)
    rate = result.metric.upper()
    axes.set(xlabel=label("{rate} (dot) and its 95 % interval (bar)", rate=rate), xlim=(0, None))
    axes.set_ylim(len(scores) - 0.5, -0.5)
    axes.grid(axis="x", color="#DDDDDD")
    return figure


def plot_batch(batch: Mapping[str, "torch.Tensor"], sampling_rate: int = 16_000) -> Figure:
    """A padded batch: where there is sound and where there is padding; where labels and where -100.

    Args:
        batch: from the collator: `input_values`, (B, T), padded with 0; `labels`, (B, L), padded with -100.
    """
    values, labels = np.asarray(batch["input_values"]), np.asarray(batch["labels"])
    samples = [int(np.flatnonzero(row).max(initial=-1)) + 1 for row in values]
    seconds = values.shape[1] / sampling_rate
    lengths = [length / sampling_rate for length in samples]
    return plot_lengths(lengths, (labels != IGNORED).sum(axis=1).tolist(), seconds)


def plot_lengths(seconds: Sequence[float], labels: Sequence[int], longest: float | None = None) -> Figure:
    """A batch to be, from its clips' lengths alone: sound and padding, labels and -100.

    Args:
        seconds: of each clip's sound.
        labels: how many each clip has.
        longest: what the sound is padded to, s; None is the longest clip.
    """
    if len(seconds) != len(labels):
        raise InputError(f"{len(seconds)} clips and {len(labels)} numbers of labels: each clip has one of each.")
    size = len(seconds)
    figure, (left, right) = _figure(min(size, 1), 0.9 + min(0.34 * size, 4.5), ncols=2, sharey=True)
    most = max(labels)
    longest = max(seconds) if longest is None else longest
    for axes, lengths, end, colour in ((left, seconds, longest, BLUE), (right, labels, most, GREEN)):
        for row, length in enumerate(lengths):
            axes.barh(row, length, color=colour)
            axes.barh(row, end - length, left=length, color="#DDDDDD", hatch="//")
    left.set(xlabel=label("time (s): sound, then padding (hatched)"), ylabel=label("clip in the batch"))
    left.set_yticks(range(0, size, 1 + size // 20))
    left.invert_yaxis()
    right.set_xlabel(label("labels, then -100 (hatched)"))
    return figure


def plot_padding(orders: Mapping[str, Sequence[float]], batch_size: int = 8) -> Figure:
    """What an order of clips costs in padding: each clip a bar, hatched up to its batch's longest.

    Args:
        orders: by name, the clips' durations in s, in the order in which batches take them.
        batch_size: clips.
    """
    figure, rows = _figure(len(orders), 0.5 + 1.4 * len(orders), sharex=True, sharey=True, squeeze=False)
    for axes, (name, order) in zip(rows[:, 0], orders.items(), strict=True):
        lengths = np.asarray(order, dtype=float)
        starts = range(0, len(lengths), batch_size)
        batches = [lengths[start : start + batch_size] for start in starts]
        longest, sizes = [batch.max() for batch in batches], [len(batch) for batch in batches]
        axes.bar(starts, longest, width=sizes, align="edge", color="#DDDDDD", edgecolor=GREY, linewidth=0, hatch="////")
        axes.bar(range(len(lengths)), lengths, width=1, align="edge", color=BLUE)
        share = 1 - lengths.sum() / np.dot(longest, sizes)
        axes.set_title(label("{name}: {share:.0%} padding", name=name, share=share), fontsize=10, parse_math=False)
        axes.set_ylabel(label("time (s)"))
        axes.margins(x=0)
    rows[-1, 0].set_xlabel(label("clips, {size} to a batch: sound, then padding (hatched)", size=batch_size))
    return figure


def plot_alignment(steps: Sequence[AlignedWord]) -> Figure:
    """Reference over hypothesis, word by word, each pair marked H, S, D or I.

    Args:
        steps: from `evaluation.align`.
    """
    widths = [max(len(step.reference), len(step.hypothesis), 2) + 1.5 for step in steps]
    line, x, places = 0, 0.0, []
    for width in widths:
        if x + width > 78 and x:
            line, x = line + 1, 0.0
        places.append((line, x + width / 2))
        x += width
    figure, axes = _figure(1, 0.6 + 0.95 * (line + 1))
    for step, (row, centre) in zip(steps, places, strict=True):
        colour, y = KIND_COLOURS[step.kind], -3 * row
        word = {"ha": "center", "family": "monospace", "fontsize": 11, "parse_math": False}
        axes.text(centre, y, step.reference or "·", **word)
        axes.text(centre, y - 0.8, step.hypothesis or "·", color=colour, **word)
        axes.text(centre, y - 1.5, step.kind, ha="center", fontsize=9, color=colour, weight="bold")
    kinds = [kind for kind in KIND_NAMES if any(step.kind == kind for step in steps)]
    axes.set_title("   ".join(f"{kind} {label(KIND_NAMES[kind])}" for kind in kinds), fontsize=10)
    for y in range(line + 1):
        axes.text(-1, -3 * y, label("said"), ha="right", fontsize=9, color=GREY)
        axes.text(-1, -3 * y - 0.8, label("heard"), ha="right", fontsize=9, color=GREY)
    axes.set(xlim=(-6, 80), ylim=(-3 * line - 1.9, 1))
    axes.axis("off")
    return figure


def plot_learning_curves(history: Sequence[Mapping[str, Any]], steps: int | None = None) -> Figure:
    """Loss, validation WER or CER and share of blank frames over a training's steps, and its learning rate if logged.

    Args:
        history: `Trainer.state.log_history`; it may still be empty.
        steps: how many there will be: where the axes end. None is the last one logged.
    """
    rate = "cer" if any("eval_chance_cer" in entry for entry in history) else "wer"
    panels: dict[str, tuple[tuple[str, str, str], ...]] = {
        mark("CTC loss"): (("loss", BLUE, mark("training")), ("eval_loss", ORANGE, mark("validation"))),
        mark("validation"): (
            (f"eval_{rate}", VERMILION, rate.upper()),
            ("eval_blank_share", GREY, mark("share of blank frames")),
        ),
    }
    if any("learning_rate" in entry for entry in history):
        panels[mark("learning rate")] = (("learning_rate", GREEN, mark("encoder")),)
    figure, columns = _figure(1, 3.0, ncols=len(panels))
    for axes, (what, curves) in zip(columns, panels.items(), strict=True):
        for name, colour, curve in curves:
            points = [(entry["step"], entry[name]) for entry in history if name in entry]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=label(curve))
        axes.set(xlabel=label("step"), ylabel=label(what), ylim=(0, None), xlim=(0, steps) if steps else None)
        if axes.lines:
            axes.legend()
    return figure


def plot_emission(
    emission: np.ndarray, tokens: Sequence[str], waveform: np.ndarray, sampling_rate: int, blank: int = 0
) -> Figure:
    """A clip's waveform over its emission, with the greedy path.

    Args:
        emission: (frames, vocabulary) probabilities.
        tokens: the vocabulary's tokens in the order of their ids.
        waveform: (num_samples,) float32.
        blank: the blank's id; its row is at the bottom.
    """
    if np.ndim(emission) != 2 or emission.shape[1] != len(tokens):
        raise InputError(f"An emission is (frames, {len(tokens)}), and this one has the shape {np.shape(emission)}.")
    seconds = len(waveform) / sampling_rate
    used = [i for i in np.argsort(tokens)[::-1] if i != blank and emission[:, i].max() > 0.05]
    order = [blank, *used]
    names = {"|": label("space"), tokens[blank]: label("blank")}
    figure, (top, bottom) = _figure(2, 1.8 + 0.2 * len(order), sharex=True, height_ratios=[1, 0.6 + len(order) / 7])
    _draw_waveform(top, waveform, sampling_rate)
    extent = (0, seconds, -0.5, len(order) - 0.5)
    bottom.imshow(emission[:, order].T, origin="lower", aspect="auto", extent=extent, cmap="Blues", vmin=0, vmax=1)
    path = emission[:, order].argmax(axis=1)  # (frames,)
    times = (np.arange(len(path)) + 0.5) * seconds / len(path)
    bottom.plot(times, path, color=VERMILION, linewidth=0.6, alpha=0.6)
    spoken = path > 0
    bottom.scatter(times[spoken], path[spoken], color=VERMILION, s=7, zorder=3)
    bottom.set_yticks(range(len(order)), [names.get(tokens[i], tokens[i]) for i in order], fontsize=8, parse_math=False)
    bottom.set(xlabel=label("time (s)"), ylabel=label("token"))
    top.set_title(label("each frame's belief in each token; dots: the greedy path where it is not blank"), fontsize=10)
    return figure


def plot_words(words: Sequence["Word"], waveform: np.ndarray, sampling_rate: int) -> Figure:
    """A clip's waveform under the words heard in it, each where it was heard and as dark as it is sure.

    Args:
        words: a `Transcript`'s.
        waveform: (num_samples,) float32.
    """
    figure, (top, bottom) = _figure(2, 3.2, sharex=True, height_ratios=[1, 1.2])
    for number, word in enumerate(words):
        y = -(number % 3)  # staggered: CTC gives long words short spans
        for axes in (top, bottom):
            axes.axvspan(word.start, word.end, color=SKY, alpha=0.1 + 0.7 * word.confidence, linewidth=0)
        centre = (word.start + word.end) / 2
        top.text(centre, y, word.text, ha="center", va="center", fontsize=9, family="monospace", parse_math=False)
        top.text(centre, y - 0.42, f"{word.confidence:.0%}", ha="center", va="center", fontsize=7)
    top.set(ylim=(-2.8, 0.6), yticks=[])
    _draw_waveform(bottom, waveform, sampling_rate)
    bottom.set_xlabel(label("time (s)"))
    return figure


def plot_parts(
    waveform: np.ndarray, sampling_rate: int, parts: Sequence["Part | HeardPart"], start: float = 0.0
) -> Figure:
    """A recording, or some minutes of it, with the parts that it was cut into: every second one is shaded.

    Args:
        waveform: (num_samples,) float32.
        parts: those that lie in it.
        start: s of the recording before the waveform.
    """
    figure, axes = _figure(1, 1.9)
    _draw_waveform(axes, waveform, sampling_rate)
    for number, part in enumerate(parts):
        axes.axvspan(part.start - start, part.end - start, color=SKY, alpha=0.35 * (number % 2), linewidth=0)
        axes.axvline(part.end - start, color=VERMILION, linewidth=1)
    axes.set(xlabel=label("time (min:s)"), xlim=(0, len(waveform) / sampling_rate))
    axes.xaxis.set_major_formatter(lambda seconds, _: clock(seconds + start))
    return figure


def plot_reliability(judged: Mapping[str, "HeardWords"]) -> Figure:
    """How often words of a confidence are right: on the diagonal the confidence is true, below it is too high.

    Args:
        judged: by name, as `confidence.judge` gives them. A dot is as large as many words have its confidence.
    """
    figure, columns = _figure(1, 3.6, ncols=len(judged), sharey=True, squeeze=False)
    for axes, (name, words) in zip(columns[0], judged.items(), strict=True):
        believed, right, sizes = zip(*words.reliability(), strict=True)
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
        axes.plot(believed, right, color=BLUE)
        axes.scatter(believed, right, color=BLUE, s=[10 + 200 * size / sum(sizes) for size in sizes])
        axes.set(xlabel=label("confidence"), xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
        axes.set_title(name, fontsize=10, parse_math=False)
    columns[0, 0].set_ylabel(label("share of words that are right"))
    return figure
