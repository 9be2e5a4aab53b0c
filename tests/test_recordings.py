"""Long recordings: every sample in one part, cuts in pauses, words once and in their time, and files of words."""

import io
import itertools
import os
import re
import sys
import threading
import tracemalloc
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import tiny

from asr_helpers import InputError, recordings, subtitles
from asr_helpers.inference import Recogniser, Transcript, Word
from asr_helpers.recordings import find_cut, is_silent, joined, listen, parts, transcribe

RATE = 16_000


def speech(seconds, rate=RATE, seed=0):
    """Noise whose level changes as speech's does, in syllables."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.uniform(0.02, 0.3, round(seconds * 5) + 1), rate // 5)[: round(seconds * rate)]
    return (rng.normal(0, 1, len(level)) * level).astype(np.float32).clip(-1, 1)


def with_pauses(seconds, every):
    sound = speech(seconds)
    for place in np.arange(every, seconds, every):
        sound[round(place * RATE) : round((place + 0.4) * RATE)] = 0
    return sound


def in_blocks(sound, size):
    return (sound[first : first + size] for first in range(0, len(sound), size))


@pytest.mark.parametrize("seconds", [0, 0.01, 3, 19.9, 20, 21, 22.5, 95])
@pytest.mark.parametrize("every", [3, 1_000], ids=["pauses", "no pause"])
def test_every_sample_is_in_one_part(seconds, every):
    sound = with_pauses(seconds, every)
    found = list(parts(in_blocks(sound, 70_001), RATE))
    edges = [0.0, *(part.end for part in found)]
    assert [part.start for part in found] == edges[:-1]
    assert edges[-1] == pytest.approx(len(sound) / RATE)
    for part in found:
        own = part.waveform[round(part.before * RATE) :][: round((part.end - part.start) * RATE)]
        assert np.array_equal(own, sound[round(part.start * RATE) : round(part.end * RATE)])
        assert part.end - part.start <= recordings.LONGEST + recordings.CONTEXT
    assert all(part.end - part.start >= recordings.SHORTEST for part in found[:-1])


def test_the_parts_do_not_depend_on_the_blocks():
    sound = with_pauses(70, 7)
    ways = [[(part.start, part.end, len(part.waveform)) for part in parts(in_blocks(sound, size), RATE)]
            for size in (999, 16_000, len(sound))]  # fmt: skip
    assert ways[0] == ways[1] == ways[2]


def test_cuts_lie_in_pauses_where_there_are_some():
    found = list(parts([with_pauses(60, 5)], RATE))
    for part in found[:-1]:
        assert 0 < part.end % 5 < 0.4
        assert part.before == 0, "what lies across a pause is not heard again"
    assert len(found) > 3
    even = np.random.default_rng(0).normal(0, 0.1, 60 * RATE).astype(np.float32)
    assert find_cut(even, RATE)[1] is False
    assert all(part.before == recordings.CONTEXT for part in list(parts([even], RATE))[1:])


def test_an_hour_takes_no_more_memory_than_some_minutes():
    def peak(blocks):
        tracemalloc.start()
        for _ in parts((speech(10) for _ in range(blocks)), RATE):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(60) < 1.2 * peak(12)


def test_what_is_silent():
    rng = np.random.default_rng(0)
    assert is_silent(np.zeros(RATE, np.float32), RATE)
    assert is_silent(rng.normal(0, 0.02, RATE), RATE), "an even hiss"
    assert is_silent(np.zeros(3, np.float32), RATE)
    assert not is_silent(speech(2), RATE)


class Clock(Recogniser):
    """Hears a word in each whole second of the recording: its number, which the samples hold."""

    def emission(self, waveform):
        return waveform

    def decode(self, waveform):
        words = []
        for place in range(0, len(waveform) - RATE // 4, 100):
            told = round(float(waveform[place]) * 1_000)
            if told and (not words or words[-1].text != str(told)):
                words.append(Word(str(told), place / RATE, place / RATE + 0.25, 1.0))
        return Transcript("", tuple(words))


@pytest.fixture
def clock():
    processor = SimpleNamespace(feature_extractor=SimpleNamespace(sampling_rate=RATE))
    return Clock(SimpleNamespace(config=SimpleNamespace(inputs_to_logits_ratio=320)), processor)


def ticking(seconds, pauses):
    """Second n is n / 1000 for a quarter of a second, then quiet, or noise that nobody could cut in."""
    sound = np.zeros(seconds * RATE, np.float32)
    if not pauses:
        sound += np.tile([0.9, -0.9], seconds * RATE // 2).astype(np.float32) / 1e4
    for second in range(1, seconds):
        sound[second * RATE : second * RATE + RATE // 4] = second / 1_000
    return sound


def file_of(sound, rate=RATE, form="WAV", subtype="FLOAT"):
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=form, subtype=subtype)
    return file.getvalue()


def test_every_word_is_heard_once_and_in_its_time(clock):
    heard = list(transcribe(clock, file_of(ticking(200, pauses=True))))
    words = joined(heard).words
    assert [word.text for word in words] == [str(second) for second in range(1, 200)]
    assert all(abs(word.start - int(word.text)) < 0.01 for word in words)
    assert heard[0].text.startswith("1 2 3")
    assert len(heard) > 8


def test_it_goes_on_where_it_stopped(clock):
    file = file_of(ticking(100, pauses=True))
    whole = list(transcribe(clock, file))
    for done in range(len(whole)):
        assert whole[:done] + list(transcribe(clock, file, after=whole[done - 1].end if done else 0.0)) == whole


def test_another_rate_and_more_channels(clock):
    stereo = np.repeat(speech(30, 44_100)[:, None], 2, axis=1)
    found = list(parts(recordings.blocks(file_of(stereo, 44_100, subtype="PCM_16"), RATE), RATE))
    assert found[-1].end == pytest.approx(30, abs=0.01)


def test_what_breaks_off_is_heard_up_to_there(clock):
    whole = file_of(speech(120), form="FLAC", subtype="PCM_16")
    heard = []
    with pytest.raises(InputError, match=r"breaks off after \d+ s: what comes before was heard"):
        heard.extend(transcribe(clock, whole[: len(whole) // 2]))
    assert heard[-1].end > 20
    spoilt = speech(40)
    spoilt[RATE * 25] = np.nan
    with pytest.raises(InputError, match="that are no numbers"):
        list(transcribe(clock, file_of(spoilt)))


def test_bad_input(clock, tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        list(transcribe(clock, tmp_path / "nothing.wav"))
    with pytest.raises(InputError, match="at which no speech is recorded"):
        list(transcribe(clock, file_of(speech(1), 100, subtype="PCM_16")))
    (nothing,) = transcribe(clock, file_of(np.zeros(0, np.float32)))  # a model says that it is too short
    assert (nothing.start, nothing.end) == (0.0, 0.0)
    assert joined(transcribe(clock, file_of(np.zeros(30 * RATE, np.float32)))).text == ""
    (clip,) = transcribe(clock, tiny.clip(0))
    assert (clip.start, clip.end) == (0.0, 0.5)


def test_an_excerpt_is_what_lies_there():
    sound = speech(12)
    file = file_of(np.stack([sound, sound], axis=1))
    for start, end in ((0, 1), (3.25, 7.5), (11.5, 20)):
        found = recordings.excerpt(file, RATE, start, end)
        np.testing.assert_array_equal(found, sound[round(start * RATE) : round(end * RATE)])
    assert len(recordings.excerpt(file, 8_000, 2, 4)) == 16_000
    assert len(recordings.excerpt(file, RATE, 30, 31)) == 0


# As it comes


@contextmanager
def piped(content):
    """The reading end of a pipe into which a thread writes, as another program would."""
    read_end, write_end = os.pipe()

    def write():
        with suppress(BrokenPipeError), os.fdopen(write_end, "wb") as pipe:
            pipe.write(content)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield read_end
    finally:
        os.close(read_end)
        thread.join()


def endless(content):
    """A WAV as a program writes it that does not know yet how long it will be."""
    place = content.index(b"data") + 4
    return content[:4] + b"\xff" * 4 + content[8:place] + b"\xff" * 4 + content[place + 4 :]


@pytest.mark.parametrize("unknown", [False, True], ids=["length told", "length unknown"])
def test_a_stream_settles_to_what_the_file_says(clock, unknown):
    file = file_of(ticking(70, pauses=True), subtype="PCM_16")
    with piped(endless(file) if unknown else file) as stream:
        heard = list(listen(clock, stream))
    settled = [part for part in heard if part.final]
    assert joined(settled).text.split() == [str(second) for second in range(1, 70)]
    assert [part.start for part in settled] == [0.0, *(part.end for part in settled[:-1])]
    partial = [part for part in heard if not part.final]
    assert len(partial) > 25, "about every two seconds"
    assert partial[0].end < 3
    assert all(later.end - earlier.end < 3 for earlier, later in itertools.pairwise(partial))


def test_a_stream_that_is_no_wav(clock):
    for content in (b"", b"no sound at all", b"fLaC" + bytes(100)):
        with piped(content) as stream, pytest.raises(InputError, match="What comes is no WAV"):
            list(listen(clock, stream))


# WebRTC's detector


def vowels(seconds):
    """A voice of a kind: pulses through three resonances, in syllables."""
    pulses = np.zeros(round(seconds * RATE))
    pulses[:: RATE // 120] = 1
    for formant, width in ((700, 80), (1_200, 90), (2_600, 120)):
        r = np.exp(-np.pi * width / RATE)
        a = [1, -2 * r * np.cos(2 * np.pi * formant / RATE), r * r]
        out, one, two = np.zeros_like(pulses), 0.0, 0.0
        for place, sample in enumerate(pulses):
            one, two = sample - a[1] * one - a[2] * two, one
            out[place] = one
        pulses = out
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(len(pulses)) / RATE)
    return (0.3 * pulses / np.abs(pulses).max() * syllables).astype(np.float32)


def test_the_detector_finds_a_pause_that_loudness_does_not():
    pytest.importorskip("webrtcvad")
    voice = vowels(12)
    tone = 0.1 * np.sin(2 * np.pi * 400 * np.arange(len(voice)) / RATE)
    voice[7 * RATE : 8 * RATE] = 0
    sound = (voice + tone).astype(np.float32)
    assert find_cut(sound, RATE)[1] is False
    place, in_pause = find_cut(sound, RATE, recordings.webrtc_loudness)
    assert 7 < place < 8.3
    assert in_pause
    assert is_silent(np.zeros(RATE, np.float32), RATE, recordings.webrtc_loudness)
    assert not is_silent(voice, RATE, recordings.webrtc_loudness)


def test_the_detector_says_which_rates_it_hears():
    pytest.importorskip("webrtcvad")
    with pytest.raises(InputError, match="not 11025 Hz"):
        recordings.webrtc_loudness(np.zeros(11_025, np.float32), 11_025)


def test_without_the_detector(monkeypatch):
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(InputError, match=r"pip install 'asr-helpers\[vad\]'"):
        recordings.webrtc_loudness(np.zeros(RATE, np.float32), RATE)


# Words as files


def words(*said):
    return [Word(text, start, end, 0.5) for text, start, end in said]


def test_subtitles_are_short_and_do_not_overlap():
    rng = np.random.default_rng(0)
    said, now = [], 0.0
    for number in range(300):
        now += rng.choice([0.05, 0.2, 1.5])
        said.append((f"word{number}" * rng.integers(1, 3), now, now + 0.3))
        now += 0.3
    shown = list(subtitles.subtitles(words(*said)))
    assert " ".join(" ".join(one.lines) for one in shown) == " ".join(text for text, *_ in said)
    for one, after in itertools.pairwise(shown):
        assert one.start < one.end <= after.start
    for one in shown:
        assert len(one.lines) <= 2
        assert all(len(line) <= 42 for line in one.lines)
        assert one.end - one.start <= 7.0
    assert list(subtitles.subtitles([])) == []


def test_a_subtitle_is_no_markup_and_a_long_word_stands_alone():
    text = subtitles.vtt(words(("<b>", 0.0, 0.5), ("a-->b", 0.6, 0.9), ("&", 1.0, 1.1)))
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.100\n&lt;b&gt; a--&gt;b &amp;\n")
    (shown,) = subtitles.subtitles(words(("x" * 60, 0.0, 0.5)))
    assert shown.lines == ("x" * 60,)


def test_a_textgrid_fills_the_time():
    text = subtitles.textgrid(words(("one", 0.5, 1.0), ('"two"', 0.9, 1.5), ("three", 1.5, 2.0)))
    spans = re.findall(r"xmin = ([\d.]+)\n\s+xmax = ([\d.]+)\n\s+text = \"(.*)\"", text)
    assert [float(start) for start, _, _ in spans] == [0.0, 0.5, 1.0, 1.5]
    assert [float(end) for _, end, _ in spans] == [0.5, 1.0, 1.5, 2.0]
    assert [said for *_, said in spans] == ["", "one", '""two""', "three"]
    assert "intervals: size = 4" in text


def test_every_form_takes_no_word():
    for write in subtitles.FORMS.values():
        assert isinstance(write([], "clip"), str)
    assert subtitles.ctm(words(("a", 0.0, 0.5)), "my clip.wav") == "my_clip.wav 1 0.000 0.500 a 0.500\n"
