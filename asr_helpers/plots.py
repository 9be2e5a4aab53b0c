"""Still pictures of what each stage does. Every function returns a figure and opens none.

Conventions: waveforms are (num_samples,) float32, times in seconds, frequencies in kHz.
Colours are Okabe and Ito's, which colour-blind readers tell apart; letters or labels stand
beside them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot  # noqa: F401  - its import lets a notebook show figures
import numpy as np
from matplotlib.figure import Figure

from .collation import IGNORED
from .evaluation import AlignedWord

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#767676",
)  # fmt: skip
KIND_COLOURS = {"H": GREEN, "S": VERMILION, "D": BLUE, "I": PURPLE}
KIND_NAMES = {"H": "hit", "S": "substitution", "D": "deletion", "I": "insertion"}
WIDTH = 9.0  # inches


def _figure(rows: int, height: float, **kwargs: Any) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH, height), dpi=80, layout="constrained", facecolor="white")
    return figure, figure.subplots(rows, **kwargs)


def spectrogram(waveform: np.ndarray, sampling_rate: int, window: float = 0.025, step: float = 0.005) -> np.ndarray:
    """Short-time spectrum of a waveform.

    Args:
        waveform: (num_samples,) float32.
        sampling_rate: Hz.
        window: each frame's length, s; Hann-weighted.
        step: the time from one frame to the next, s.

    Returns:
        (frequencies, frames) float, dB below the loudest, not under -80. Frequencies run from 0 to sampling_rate / 2.
    """
    size, hop = int(window * sampling_rate), int(step * sampling_rate)
    padded = np.pad(waveform, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: len(waveform) : hop]  # (frames, size)
    power = np.abs(np.fft.rfft(frames * np.hanning(size), n=max(512, size))).T ** 2  # (frequencies, frames)
    return np.maximum(10 * np.log10(power / (power.max() + 1e-12) + 1e-12), -80)


def _draw_waveform(axes: "Axes", waveform: np.ndarray, sampling_rate: int) -> None:
    axes.plot(np.arange(len(waveform)) / sampling_rate, waveform, color=BLUE, linewidth=0.6)
    axes.set_xlim(0, len(waveform) / sampling_rate)
    axes.set_ylabel("amplitude")


def _draw_spectrogram(axes: "Axes", waveform: np.ndarray, sampling_rate: int) -> None:
    extent = (0, len(waveform) / sampling_rate, 0, sampling_rate / 2_000)
    axes.imshow(spectrogram(waveform, sampling_rate), origin="lower", aspect="auto", extent=extent, cmap="magma")
    axes.set_ylabel("frequency (kHz)")


def plot_clip(waveform: np.ndarray, sampling_rate: int, title: str = "") -> Figure:
    """A clip's waveform and spectrogram on one time axis."""
    figure, (top, bottom) = _figure(2, 4.0, sharex=True)
    _draw_waveform(top, waveform, sampling_rate)
    _draw_spectrogram(bottom, waveform, sampling_rate)
    bottom.set_xlabel("time (s)")
    top.set_title(title)
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
        axes.set_title(f"{rate:,} samples per second: nothing above {rate / 2_000:g} kHz can be written", fontsize=10)
    rows[-1, 0].set_xlabel("time (s)")
    return figure


def plot_durations(durations: Sequence[float]) -> Figure:
    """How long clips are: a histogram, in seconds."""
    figure, axes = _figure(1, 2.8)
    axes.hist(durations, bins=24, color=BLUE, edgecolor="white")
    axes.set_xlabel("duration (s)")
    axes.set_ylabel("clips")
    return figure


def plot_counts(counts: Mapping[str, int], what: str) -> Figure:
    """How often each of some names occurs, the commonest first.

    Args:
        counts: by name: characters, intents, voices.
        what: the axis's label.
    """
    pairs = Counter(counts).most_common()
    figure, axes = _figure(1, 2.8)
    axes.bar(range(len(pairs)), [count for _, count in pairs], color=BLUE)
    names = ["space" if name == " " else name for name, _ in pairs]
    slanted = max(map(len, names)) > 5
    axes.set_xticks(range(len(pairs)), names, rotation=45 if slanted else 0, ha="right" if slanted else "center")
    axes.set_ylabel(what)
    axes.margins(x=0.01)
    return figure


def plot_batch(batch: Mapping[str, "torch.Tensor"], sampling_rate: int = 16_000) -> Figure:
    """A padded batch: where there is sound and where there is padding; where labels and where -100.

    Args:
        batch: from the collator: `input_values`, (B, T), padded with 0; `labels`, (B, L), padded with -100.
    """
    values, labels = np.asarray(batch["input_values"]), np.asarray(batch["labels"])
    size, longest = values.shape  # (B, T)
    figure, (left, right) = _figure(1, 0.9 + 0.34 * size, ncols=2, sharey=True)
    for row in range(size):
        samples = int(np.flatnonzero(values[row])[-1]) + 1
        count = int((labels[row] != IGNORED).sum())
        left.barh(row, samples / sampling_rate, color=BLUE)
        left.barh(row, (longest - samples) / sampling_rate, left=samples / sampling_rate, color="#DDDDDD", hatch="//")
        right.barh(row, count, color=GREEN)
        right.barh(row, labels.shape[1] - count, left=count, color="#DDDDDD", hatch="//")
    left.set(xlabel="time (s): sound, then padding (hatched)", ylabel="clip in the batch", yticks=range(size))
    left.invert_yaxis()
    right.set_xlabel("labels, then -100 (hatched)")
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
        axes.text(centre, y, step.reference or "·", ha="center", family="monospace", fontsize=11)
        axes.text(centre, y - 0.8, step.hypothesis or "·", ha="center", family="monospace", fontsize=11, color=colour)
        axes.text(centre, y - 1.5, step.kind, ha="center", fontsize=9, color=colour, weight="bold")
    kinds = [kind for kind in KIND_NAMES if any(step.kind == kind for step in steps)]
    axes.set_title("   ".join(f"{kind} {KIND_NAMES[kind]}" for kind in kinds), fontsize=10)
    for y in range(line + 1):
        axes.text(-1, -3 * y, "said", ha="right", fontsize=9, color=GREY)
        axes.text(-1, -3 * y - 0.8, "heard", ha="right", fontsize=9, color=GREY)
    axes.set(xlim=(-6, 80), ylim=(-3 * line - 1.9, 1))
    axes.axis("off")
    return figure


def plot_learning_curves(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss, validation WER and share of blank frames over a training's steps.

    Args:
        history: `Trainer.state.log_history`.
    """
    figure, (left, right) = _figure(1, 3.0, ncols=2)
    for name, colour, label in (("loss", BLUE, "training"), ("eval_loss", ORANGE, "validation")):
        points = [(entry["step"], entry[name]) for entry in history if name in entry]
        left.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=label)
    left.set(xlabel="step", ylabel="CTC loss", ylim=(0, None))
    left.legend()
    for name, colour, label in (("eval_wer", VERMILION, "WER"), ("eval_blank_share", GREY, "share of blank frames")):
        points = [(entry["step"], entry[name]) for entry in history if name in entry]
        right.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=label)
    right.set(xlabel="step", ylabel="validation", ylim=(0, None))
    right.legend()
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
    seconds = len(waveform) / sampling_rate
    used = [i for i in np.argsort(tokens)[::-1] if i != blank and emission[:, i].max() > 0.05]
    order = [blank, *used]
    names = {"|": "space", tokens[blank]: "blank"}
    figure, (top, bottom) = _figure(2, 1.8 + 0.2 * len(order), sharex=True, height_ratios=[1, 0.6 + len(order) / 7])
    _draw_waveform(top, waveform, sampling_rate)
    extent = (0, seconds, -0.5, len(order) - 0.5)
    bottom.imshow(emission[:, order].T, origin="lower", aspect="auto", extent=extent, cmap="Blues", vmin=0, vmax=1)
    path = emission[:, order].argmax(axis=1)  # (frames,)
    times = (np.arange(len(path)) + 0.5) * seconds / len(path)
    bottom.plot(times, path, color=VERMILION, linewidth=0.6, alpha=0.6)
    spoken = path > 0
    bottom.scatter(times[spoken], path[spoken], color=VERMILION, s=7, zorder=3)
    bottom.set_yticks(range(len(order)), [names.get(tokens[i], tokens[i]) for i in order], fontsize=8)
    bottom.set(xlabel="time (s)", ylabel="token")
    top.set_title("each frame's belief in each token; dots: the greedy path where it is not blank", fontsize=10)
    return figure
