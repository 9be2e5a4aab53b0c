"""Pictures say what is in their data, draw text as it is, and leave no figure behind."""

import gc
import warnings

import matplotlib.pyplot
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from asr_helpers import AsrError, audio, plots
from asr_helpers.confidence import HeardWords
from asr_helpers.evaluation import AlignedWord, ErrorCounts, Scores, align
from asr_helpers.inference import Word
from asr_helpers.languages import Writing, language
from asr_helpers.recordings import Part

RATE = 8_000
SECOND = np.sin(2 * np.pi * 1_000 * np.arange(RATE) / RATE).astype("float32")  # 1 kHz
COUNTS = {"E": 3, " ": 5, "T": 1}
STEPS = align("SO MY CARD IS LOST", "MY CAR IS LOST NOW")
HISTORY = [
    {"step": 5, "loss": 3.0},
    {"step": 10, "loss": 2.0},
    {"step": 10, "eval_loss": 2.5, "eval_wer": 1.0, "eval_blank_share": 0.9},
    {"step": 20, "eval_loss": 1.5, "eval_wer": 0.5, "eval_blank_share": 0.6},
]
BATCH = {
    "input_values": np.array([[0.1, 0.2, 0.0, 0.4], [0.5, 0.6, 0.0, 0.0]], dtype="float32"),
    "labels": np.array([[7, -100, -100], [8, 9, 5]]),
}
WORDS = (Word("PAY", 0.1, 0.3, 0.9), Word("NOW", 0.5, 0.8, 0.4))


def scores(wer, low, high):
    return Scores(wer, wer, ErrorCounts(1, 1, 0, 0), (low, high), 7)


def emission(path, size=5):
    """Sure of each frame's token."""
    return np.eye(size, dtype="float32")[path]


HEARD = HeardWords(np.array([0.5, 0.5, 0.9]), np.array([0.5, 0.5, 0.95]), np.array([True, False, True]))

# Each function drawn once, with a text from outside where it takes one.
DRAW = {
    "plot_clip": lambda text: plots.plot_clip(SECOND, RATE, text),
    "plot_rates": lambda text: plots.plot_rates({RATE: SECOND, 2 * RATE: np.repeat(SECOND, 2)}),
    "plot_durations": lambda text: plots.plot_durations([1.0, 2.0, 2.5]),
    "plot_counts": lambda text: plots.plot_counts({text: 2, "b": 1}, text),
    "plot_splits": lambda text: plots.plot_splits({text: ({text: 2}, {"b": 1})}),
    "plot_scores": lambda text: plots.plot_scores({text: scores(0.5, 0.4, 0.6)}),
    "plot_batch": lambda text: plots.plot_batch(BATCH, RATE),
    "plot_lengths": lambda text: plots.plot_lengths([2.0, 1.0], [9, 5]),
    "plot_padding": lambda text: plots.plot_padding({text: [1.0, 2.0, 3.0]}, 2),
    "plot_alignment": lambda text: plots.plot_alignment([AlignedWord("S", text, text + text)]),
    "plot_learning_curves": lambda text: plots.plot_learning_curves(HISTORY),
    "plot_emission": lambda text: plots.plot_emission(emission([0, 1, 1]), ["_", text, "b", "c", "d"], SECOND, RATE),
    "plot_parts": lambda text: plots.plot_parts(SECOND, RATE, [Part(60.0, 60.5, SECOND, 0.0)], 60.0),
    "plot_words": lambda text: plots.plot_words([Word(text, 0.1, 0.3, 0.9)], SECOND, RATE),
    "plot_reliability": lambda text: plots.plot_reliability({text: HEARD}),
}


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_every_picture_is_tested():
    assert {name for name in vars(plots) if name.startswith("plot_")} == set(DRAW)


@pytest.mark.parametrize("name", DRAW)
def test_a_picture_is_a_figure_that_draws_and_opens_nothing(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = DRAW[name]("a")
        image = figure._repr_png_()
    assert isinstance(figure, Figure)
    assert image.startswith(b"\x89PNG")
    assert len(image) < 60_000, "a notebook of six pictures must stay below 300 KB"
    assert matplotlib.pyplot.get_fignums() == []


@pytest.mark.parametrize("text", ["$x^2$", r"$\nonsense{$", "<b>&amp;", "_under_", "مرحبا", "100 %", r"C:\new", "{x}"])
@pytest.mark.parametrize("name", [name for name in DRAW if "x7" in texts(DRAW[name]("x7"))])
def test_text_is_drawn_as_it_is(name, text):
    figure = DRAW[name](text)
    figure._repr_png_()  # mathtext would fail on nonsense
    drawn = [label for label in figure.findobj(Text) if text in label.get_text()]
    assert drawn
    assert not any(label.get_parse_math() for label in drawn)


def test_most_pictures_take_text():
    # so that the test above does not pass by testing nothing
    assert sum("x7" in texts(draw("x7")) for draw in DRAW.values()) >= 7


def test_figures_do_not_pile_up():
    def alive():
        gc.collect()
        return sum(isinstance(thing, Figure) for thing in gc.get_objects())

    DRAW["plot_durations"]("a")
    before = alive()
    for number in range(200):
        figure = DRAW["plot_durations"]("a")
        if number % 10 == 0:
            figure._repr_png_()
    del figure
    assert alive() <= before
    assert matplotlib.pyplot.get_fignums() == []


# Spectrogram


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize("pitch", [250, 1_000, 3_300])
def test_the_peak_of_a_sine_is_at_its_frequency(rate, pitch):
    wave = np.sin(2 * np.pi * pitch * np.arange(rate) / rate).astype("float32")
    levels = audio.spectrogram(wave, rate)
    bin_width = rate / 2 / (len(levels) - 1)  # Hz
    middle = levels[:, levels.shape[1] // 2]
    assert abs(middle.argmax() * bin_width - pitch) <= bin_width


def test_the_shape_of_a_spectrogram():
    levels = audio.spectrogram(SECOND, RATE, window=0.032, step=0.01)
    assert levels.shape == (129, 100)  # 256 samples give 129 frequencies; 1 s gives 100 steps
    assert levels.max() == pytest.approx(0, abs=1e-6)
    assert levels.min() >= -60


def test_silence_has_no_peak():
    levels = audio.spectrogram(np.zeros(800, dtype="float32"), RATE)
    assert (levels == levels[0, 0]).all()


def test_a_louder_copy_has_the_same_spectrogram():
    quiet = np.random.default_rng(0).normal(size=4_000).astype("float32") * 0.01
    assert audio.spectrogram(quiet * 8, RATE) == pytest.approx(audio.spectrogram(quiet, RATE), abs=0.01)


# What each picture holds


def test_a_clip_is_drawn_on_one_time_axis():
    top, bottom = plots.plot_clip(SECOND[:4_000], RATE, "a clip").axes
    times, amplitudes = top.lines[0].get_data()
    assert np.array_equal(amplitudes, SECOND[:4_000])
    assert times[-1] == pytest.approx(3_999 / RATE)
    assert bottom.images[0].get_extent() == [0, 0.5, 0, 4]
    assert top.get_title() == "a clip"


def test_a_rate_ends_at_half_of_itself():
    figure = plots.plot_rates({8_000: SECOND, 16_000: np.repeat(SECOND, 2)})
    assert [axes.images[0].get_extent()[3] for axes in figure.axes] == [4, 8]
    assert [axes.get_ylim() for axes in figure.axes] == [(0, 8), (0, 8)]
    assert "8,000 samples per second: nothing above 4 kHz" in figure.axes[0].get_title()


def test_each_clip_is_in_the_histogram():
    axes = plots.plot_durations([1.0, 2.0, 2.5, 2.5]).axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == 4


def test_counts_run_from_the_commonest():
    axes = plots.plot_counts(COUNTS, "times").axes[0]
    assert [bar.get_height() for bar in axes.patches] == [5, 3, 1]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["space", "E", "T"]
    assert axes.get_ylabel() == "times"


def test_splits_show_every_voice_on_both_sides():
    figure = plots.plot_splits({"one": ({"a": 3, "b": 1}, {"b": 2}), "two": ({"a": 3}, {"b": 3})})
    heights = [[bar.get_height() for bar in axes.patches] for axes in figure.axes]
    assert heights == [[3, 1, 0, 2], [3, 0, 0, 3]]  # train of a and b, then test of a and b
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()] == ["a", "b"]


def test_scores_stand_within_their_intervals():
    axes = plots.plot_scores({"one": scores(0.5, 0.4, 0.7), "two": scores(1.5, 1.0, 2.0)}).axes[0]
    lines = [line.get_xdata() for line in axes.lines]
    assert [list(np.atleast_1d(line)) for line in lines] == [[0.4, 0.7], [0.5], [1.0, 2.0], [1.5]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlim()[1] > 2
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first on top"


def test_where_a_language_is_measured_by_characters_that_rate_is_drawn():
    counts = ErrorCounts(1, 1, 0, 0)
    one = Scores(1.0, 0.5, counts, (0.4, 0.7), 7, writing=Writing(language("ja")))
    axes = plots.plot_scores({"one": one}).axes[0]
    assert [list(np.atleast_1d(line.get_xdata())) for line in axes.lines] == [[0.4, 0.7], [0.5]]
    assert axes.get_xlabel().startswith("CER ")
    history = [{"step": 5, "eval_wer": 1.0, "eval_cer": 0.3, "eval_chance_cer": 0.9, "eval_blank_share": 0.6}]
    right = plots.plot_learning_curves(history).axes[1]
    assert right.lines[0].get_xydata().tolist() == [[5, 0.3]]
    assert right.get_legend().get_texts()[0].get_text() == "CER"


def test_letters_of_other_scripts_are_drawn_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in ("한", "が", "ب", "\U0001f600"):
            assert plots.plot_counts({text: 1}, "times")._repr_png_().startswith(b"\x89PNG")


def test_a_batch_shows_sound_and_labels_then_padding():
    left, right = plots.plot_batch(BATCH, sampling_rate=1).axes
    # a 0 inside the sound is sound
    assert [(bar.get_x(), bar.get_width()) for bar in left.patches] == [(0, 4), (4, 0), (0, 2), (2, 2)]
    assert [(bar.get_x(), bar.get_width()) for bar in right.patches] == [(0, 1), (1, 2), (0, 3), (3, 0)]
    assert [bar.get_hatch() for bar in left.patches] == [None, "//"] * 2


def test_a_silent_clip_is_all_padding():
    silent = {"input_values": np.zeros((1, 4)), "labels": np.array([[5]])}
    left, _ = plots.plot_batch(silent, sampling_rate=1).axes
    assert [bar.get_width() for bar in left.patches] == [0, 4]


def test_a_batch_may_hold_tensors():
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(values) for name, values in BATCH.items()}
    assert len(plots.plot_batch(tensors).axes[0].patches) == 4


def test_padding_reaches_up_to_the_longest_of_each_batch():
    figure = plots.plot_padding({"as they come": [1.0, 3.0, 2.0], "sorted": [1.0, 2.0, 3.0]}, batch_size=2)
    first, second = figure.axes
    bars = [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in first.patches]
    assert bars[:2] == [(0, 2, 3), (2, 1, 2)]  # two batches, hatched
    assert bars[2:] == [(0, 1, 1), (1, 1, 3), (2, 1, 2)]  # and over them three clips
    assert first.get_title() == "as they come: 25% padding"  # 2 of 8 s
    assert second.get_title() == "sorted: 14% padding"  # 1 of 7 s


def test_an_alignment_holds_its_words_and_letters():
    drawn = texts(plots.plot_alignment(STEPS))
    for word in ("SO", "CARD", "CAR", "NOW", "said", "heard"):
        assert word in drawn
    assert [text for text in drawn if text in ("H", "S", "D", "I")] == list("DHSHHI")
    assert drawn.count("·") == 2, "one word not heard, one not said"
    assert "H hit   S substitution   D deletion   I insertion" in drawn


def test_kinds_that_do_not_occur_are_not_explained():
    assert plots.plot_alignment(align("A B", "A B")).axes[0].get_title() == "H hit"


@pytest.mark.parametrize("words", [3, 40, 200])
def test_a_long_alignment_is_broken_into_lines_and_stays_inside(words):
    figure = plots.plot_alignment(align("WORD " * words, "WORD " * words))
    axes = figure.axes[0]
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    for text in axes.texts:
        x, y = text.get_position()
        assert left < x < right
        assert bottom < y < top
    rows = {text.get_position()[1] for text in axes.texts if text.get_text() == "H"}
    assert len(rows) == texts(figure).count("said")
    assert (len(rows) > 1) == (words > 12)


def test_words_of_an_alignment_do_not_overlap():
    figure = plots.plot_alignment(align("A EXTRAORDINARILY LONG W " * 6, "I NO WWWWWWWWWWWW " * 6))
    figure._repr_png_()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if len(text.get_text()) > 1]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_learning_curves_hold_the_history():
    left, right = plots.plot_learning_curves(HISTORY).axes
    assert [line.get_xydata().tolist() for line in left.lines] == [[[5, 3], [10, 2]], [[10, 2.5], [20, 1.5]]]
    assert [line.get_xydata().tolist() for line in right.lines] == [[[10, 1], [20, 0.5]], [[10, 0.9], [20, 0.6]]]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["WER", "share of blank frames"]


def test_an_emission_shows_the_greedy_path():
    tokens = ["<pad>", "|", "A", "B", "C"]
    path = [0, 2, 2, 0, 1, 3, 0]
    top, bottom = plots.plot_emission(emission(path), tokens, SECOND, RATE).axes
    names = [label.get_text() for label in bottom.get_yticklabels()]
    assert names[0] == "blank"
    assert sorted(names[1:]) == ["A", "B", "space"], "C is never believed in"
    greedy = bottom.lines[0].get_ydata().astype(int)
    assert [names[row] for row in greedy] == ["blank", "A", "A", "blank", "space", "B", "blank"]
    dots = bottom.collections[0].get_offsets()
    assert len(dots) == 4
    assert dots[0][0] == pytest.approx(1.5 / 7), "in the middle of the second of seven frames"
    assert len(top.lines[0].get_xdata()) == RATE


def test_words_stand_where_they_were_heard():
    figure = plots.plot_words(WORDS, SECOND, RATE)
    top = figure.axes[0]
    places = {text.get_text(): text.get_position()[0] for text in top.texts}
    assert places["PAY"] == pytest.approx(0.2)
    assert places["NOW"] == pytest.approx(0.65)
    assert {"90%", "40%"} <= set(places)


def test_cuts_stand_where_the_parts_end():
    parts = [Part(60.0, 60.25, SECOND, 0.0), Part(60.25, 60.5, SECOND, 0.0), Part(60.5, 61.0, SECOND, 0.0)]
    axes = plots.plot_parts(SECOND, RATE, parts, start=60.0).axes[0]
    assert [line.get_xdata()[0] for line in axes.lines[1:]] == [0.25, 0.5, 1.0]
    assert axes.xaxis.get_major_formatter()(0.5, 0) == "1:00"


def test_words_of_a_confidence_stand_at_their_share_of_right_ones():
    truth, line = plots.plot_reliability({"beam": HEARD}).axes[0].lines
    assert truth.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert line.get_xydata().tolist() == [[0.5, 0.5], [0.95, 1.0]]


def test_a_long_waveform_keeps_its_extremes_in_place():
    wave = np.zeros(160_000, dtype="float32")
    wave[40_000], wave[120_000] = 0.9, -0.7
    times, amplitudes = plots.plot_clip(wave, 16_000).axes[0].lines[0].get_data()
    assert len(times) < 3 * plots.COLUMNS
    assert (amplitudes.max(), amplitudes.min()) == (np.float32(0.9), np.float32(-0.7))
    assert times[amplitudes.argmax()] == pytest.approx(2.5, abs=0.01)
    assert times[amplitudes.argmin()] == pytest.approx(7.5, abs=0.01)
    assert times[-1] == pytest.approx(10, abs=0.02)


def test_a_frequency_axis_may_reach_above_the_rate():
    bottom = plots.plot_clip(SECOND, RATE, highest=8.0).axes[1]
    assert bottom.get_ylim() == (0, 8)
    assert bottom.images[0].get_extent()[3] == 4


def test_a_batch_to_be_is_padded_to_its_longest():
    left, right = plots.plot_lengths([2.0, 1.0], [3, 5]).axes
    assert [(bar.get_x(), bar.get_width()) for bar in left.patches] == [(0, 2), (2, 0), (0, 1), (1, 1)]
    assert [(bar.get_x(), bar.get_width()) for bar in right.patches] == [(0, 3), (3, 2), (0, 5), (5, 0)]


def test_many_clips_are_numbered_now_and_then():
    figure = plots.plot_lengths([1.0] * 64, [5] * 64)
    assert figure.get_size_inches()[1] < 6
    assert len(figure.axes[0].get_yticks()) <= 20


def test_a_training_that_has_just_begun_has_empty_curves():
    figure = plots.plot_learning_curves([], steps=100)
    assert [axes.get_xlim() for axes in figure.axes] == [(0, 100), (0, 100)]
    assert not any(axes.lines for axes in figure.axes)


def test_a_logged_learning_rate_has_its_own_axes():
    rates = plots.plot_learning_curves([*HISTORY, {"step": 20, "loss": 1.0, "learning_rate": 1e-4}]).axes[2]
    assert rates.lines[0].get_xydata().tolist() == [[20, 1e-4]]


# Bad input


@pytest.mark.parametrize("draw", [
    lambda: plots.plot_rates({}), lambda: plots.plot_counts({}, "clips"), lambda: plots.plot_splits({}),
    lambda: plots.plot_scores({}), lambda: plots.plot_padding({}), lambda: plots.plot_lengths([], []),
    lambda: audio.spectrogram(np.zeros(0), 8_000), lambda: plots.plot_clip(np.zeros(0), 8_000),
])  # fmt: skip
def test_nothing_to_draw(draw):
    with pytest.raises(AsrError, match="nothing to draw"):
        draw()


def test_what_is_no_waveform_or_emission():
    with pytest.raises(AsrError, match=r"the shape \(2, 8000\): take the mean over axis 0"):
        plots.plot_clip(np.zeros((2, 8_000)), 8_000)
    with pytest.raises(AsrError, match="holds int16: divide by 32,768"):
        plots.plot_words([], np.zeros(8_000, dtype="int16"), 8_000)
    with pytest.raises(AsrError, match=r"An emission is \(frames, 3\), and this one has the shape \(3, 10\)"):
        plots.plot_emission(np.zeros((3, 10)), ["<pad>", "A", "|"], np.zeros(8_000), 8_000)
    with pytest.raises(AsrError, match="2 clips and 1 numbers of labels"):
        plots.plot_lengths([1.0, 2.0], [3])
