"""One clip: what comes out of files of every kind, what resampling keeps, how bad input is refused."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_helpers import AsrError, audio

RATE = 16_000


def tone(frequency, rate, seconds=1.0, level=0.5):
    """A sine: (seconds * rate,) float64."""
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def encode(waveform, rate=RATE, format="WAV", subtype=None):
    """The bytes of a sound file."""
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format=format, subtype=subtype)
    return file.getvalue()


def loudest(waveform, rate):
    """The frequency of a waveform's highest spectral peak, Hz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return np.fft.rfftfreq(len(waveform), 1 / rate)[spectrum.argmax()]


# Decode


def test_mono_samples_come_out_as_they_were_written():
    waveform, rate = audio.decode(encode([0.0, 0.5, -0.25, -1.0], rate=8_000, subtype="PCM_16"))
    np.testing.assert_array_equal(waveform, np.array([0, 0.5, -0.25, -1], dtype="float32"))
    assert (waveform.dtype, waveform.shape, rate) == (np.float32, (4,), 8_000)


def test_channels_become_their_mean():
    stereo = np.array([[0.5, -0.5], [1.0, 0.0], [0.25, 0.75]])  # (num_samples, num_channels)
    waveform, _ = audio.decode(encode(stereo, subtype="FLOAT"))
    np.testing.assert_array_equal(waveform, np.array([0, 0.5, 0.5], dtype="float32"))


def test_six_channels_are_no_louder_than_one():
    waveform, _ = audio.decode(encode(np.repeat(tone(440, RATE)[:, None], 6, axis=1), subtype="FLOAT"))
    np.testing.assert_allclose(waveform, tone(440, RATE), atol=1e-6)


@pytest.mark.parametrize(("subtype", "precision"), [("PCM_U8", 2**-7), ("PCM_24", 2**-23), ("FLOAT", 1e-7)])
def test_sample_formats_have_one_scale(subtype, precision):
    waveform, _ = audio.decode(encode(tone(440, RATE), subtype=subtype))
    np.testing.assert_allclose(waveform, tone(440, RATE), atol=precision)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
def test_formats(format):
    content = encode(tone(1_000, RATE), format=format)
    waveform, rate = audio.decode(content)
    assert (rate, waveform.ndim, waveform.dtype) == (RATE, 1, np.float32)
    assert abs(loudest(waveform, rate) - 1_000) < 2
    assert 0.4 < np.abs(waveform).max() < 0.6
    assert audio.duration(content) == len(waveform) / rate


def test_every_form_of_audio_gives_the_same(tmp_path):
    content = encode(tone(440, RATE))
    file = tmp_path / "clip.wav"
    file.write_bytes(content)
    forms = [content, file, str(file), {"bytes": content, "path": None}, {"bytes": None, "path": str(file)}]
    forms += [{"bytes": content}, {"path": str(file)}]
    waveforms = [audio.decode(form)[0] for form in forms]
    for waveform in waveforms[1:]:
        np.testing.assert_array_equal(waveform, waveforms[0])


def test_bytes_count_and_the_path_beside_them_does_not(tmp_path):
    other = tmp_path / "other.wav"
    other.write_bytes(encode(np.zeros(7)))
    clip = {"bytes": encode(np.zeros(5)), "path": str(other)}
    assert len(audio.decode(clip)[0]) == 5
    clip["path"] = "en-US~BALANCE/602ba55abb1e6d0fbce92065.wav"  # as on a hub: nowhere on this disk
    assert len(audio.decode(clip)[0]) == 5


# What cannot be read


def test_a_missing_file_is_named():
    with pytest.raises(AsrError, match=r"no file 'no/such/clip\.wav': check the path"):
        audio.decode("no/such/clip.wav")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(AsrError, match=tmp_path.name):
        audio.duration(tmp_path)


@pytest.mark.parametrize("clip", [{"bytes": None, "path": None}, {}])
def test_a_row_without_sound_is_refused(clip):
    with pytest.raises(AsrError, match="neither bytes nor a path"):
        audio.decode(clip)


@pytest.mark.parametrize("content", [b"", b"file_name,transcription\n", b"RIFF"], ids=["empty", "text", "four bytes"])
@pytest.mark.parametrize("read", [audio.decode, audio.duration, lambda clip: audio.load(clip, RATE)])
def test_what_is_no_sound_is_named(tmp_path, content, read):
    file = tmp_path / "notes.wav"
    file.write_bytes(content)
    for clip in (file, {"bytes": content, "path": "corpus/notes.wav"}):
        with pytest.raises(AsrError, match=r"notes\.wav' is not a sound file that can be read .* use WAV, FLAC"):
            read(clip)
    with pytest.raises(AsrError, match=f"a clip of {len(content)} bytes"):
        read(content)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_flac_file_that_breaks_off_is_named(share):
    rng = np.random.default_rng(0)
    content = encode(rng.normal(0, 0.1, RATE), format="FLAC")
    clip = {"bytes": content[: int(share * len(content))], "path": "broken.flac"}
    with pytest.raises(AsrError, match=r"'broken\.flac' is not a sound file that can be read"):
        audio.decode(clip)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(bad):
    with pytest.raises(AsrError, match=r"a clip of \d+ bytes' is not .* \(some of its samples are NaN or infinite\)"):
        audio.decode(encode([0.0, bad, 0.5], subtype="FLOAT"))


def test_a_flac_file_that_promises_more_than_any_memory_holds_is_refused():
    content = bytearray(encode(tone(440, RATE), format="FLAC"))
    content[21] |= 0x0F  # STREAMINFO's number of samples: 36 bits, all 1
    content[22:26] = b"\xff" * 4
    with pytest.raises(AsrError, match="breaks off or is damaged"):
        audio.decode(bytes(content))


def test_a_file_without_a_header_is_refused(tmp_path):
    (tmp_path / "clip.raw").write_bytes(bytes(800))
    with pytest.raises(AsrError, match=r"clip\.raw' is not a sound file that can be read"):
        audio.decode(tmp_path / "clip.raw")


def test_a_wav_file_that_breaks_off_gives_what_is_there():
    content = encode(tone(440, RATE), subtype="PCM_16")
    content = content[: len(content) - 2 * 6_000]  # 6,000 samples of two bytes are missing
    waveform, _ = audio.decode(content)
    np.testing.assert_allclose(waveform, tone(440, RATE)[:10_000], atol=1e-4)
    assert audio.duration(content) == 10_000 / RATE


def test_a_file_is_closed_after_reading(tmp_path):
    file = tmp_path / "clip.wav"
    file.write_bytes(encode(np.zeros(5)))
    audio.decode(file)
    audio.duration(file)
    open_files = Path("/proc/self/fd")
    if open_files.is_dir():
        assert str(file) not in {str(link.resolve()) for link in open_files.iterdir()}


# Resample


@pytest.mark.parametrize(("rate", "new_rate"), [(8_000, 16_000), (44_100, 16_000), (16_000, 8_000), (22_050, 16_000)])
def test_resampling_keeps_length_frequency_and_level(rate, new_rate):
    waveform = tone(1_000, rate).astype("float32")
    resampled = audio.resample(waveform, rate, new_rate)
    assert resampled.dtype == np.float32
    assert abs(len(resampled) - new_rate) <= 1  # one second stays one second
    # A pure tone's exact samples at the new rate are known; the filter rings only near the ends.
    middle = slice(new_rate // 10, -new_rate // 10)
    np.testing.assert_allclose(resampled[middle], tone(1_000, new_rate)[: len(resampled)][middle], atol=1e-3)


def test_what_the_new_rate_cannot_carry_is_gone():
    mixed = (tone(1_000, RATE) + tone(6_000, RATE)).astype("float32")
    resampled = audio.resample(mixed, RATE, 8_000)
    np.testing.assert_allclose(resampled[800:-800], tone(1_000, 8_000)[800:-800], atol=1e-3)
    naive = mixed[::2]  # 6 kHz folds back to 2 kHz
    assert np.abs(naive[800:-800] - tone(1_000, 8_000)[800:-800]).max() > 0.4


def test_resampling_up_adds_nothing_above_the_old_limit():
    rng = np.random.default_rng(0)
    resampled = audio.resample(rng.normal(0, 0.1, 8_000).astype("float32"), 8_000, 16_000)
    power = np.abs(np.fft.rfft(resampled * np.hanning(len(resampled)))) ** 2
    above = np.fft.rfftfreq(len(resampled), 1 / 16_000) > 4_100
    assert power[above].sum() < 1e-4 * power.sum()


def test_up_and_back_again_is_the_same_speech():
    waveform = (tone(300, 8_000) + tone(2_500, 8_000, level=0.1)).astype("float32")
    back = audio.resample(audio.resample(waveform, 8_000, 16_000), 16_000, 8_000)
    assert len(back) == len(waveform)
    np.testing.assert_allclose(back[400:-400], waveform[400:-400], atol=1e-3)


def test_the_same_rate_is_no_work():
    waveform = np.zeros(5, dtype="float32")
    assert audio.resample(waveform, RATE, RATE) is waveform


def test_an_empty_sound_stays_empty():
    assert len(audio.resample(np.zeros(0, dtype="float32"), 8_000, 16_000)) == 0


# Load and duration


def test_load_decodes_downmixes_and_resamples():
    stereo = np.stack([tone(500, 8_000, level=0.6), tone(500, 8_000, level=0.2)], axis=1)
    waveform = audio.load(encode(stereo, rate=8_000, subtype="FLOAT"), 16_000)
    assert waveform.shape == (16_000,)
    assert waveform.dtype == np.float32
    np.testing.assert_allclose(waveform[1_600:-1_600], tone(500, 16_000, level=0.4)[1_600:-1_600], atol=1e-3)


@pytest.mark.parametrize("rate", [1, 3_999, 384_001])
def test_a_rate_that_no_speech_has_is_refused_before_it_is_resampled(rate):
    with pytest.raises(AsrError, match=rf"header gives {rate} Hz, at which no speech is recorded"):
        audio.load(encode(np.zeros(800), rate=rate), RATE)


def test_durations_are_seconds_whatever_rate_and_channels():
    assert audio.duration(encode(np.zeros(4_000), rate=8_000)) == 0.5
    assert audio.duration(encode(np.zeros((4_000, 2)), rate=16_000)) == 0.25
    assert audio.duration(encode(np.zeros(0))) == 0


# Encode


def test_encoded_samples_come_back_and_what_is_too_loud_is_cut_off():
    waveform, rate = audio.decode(audio.encode(np.array([0.25, -1.0, 2.0, -2.0], dtype="float32"), 16_000))
    assert rate == 16_000
    assert waveform.tolist() == [0.25, -1.0, 32767 / 32768, -1.0]


# Facts


def square(level, rate=8_000, seconds=1.0):
    return level * np.where(np.arange(round(seconds * rate)) % 2, -1.0, 1.0).astype("float32")


def test_facts_by_hand():
    # A second of a tone of power 0.125, then a second of hum of power 0.000025.
    facts = audio.facts(np.concatenate([tone(1_000, 8_000), square(0.005)]), 8_000)
    assert (facts.seconds, facts.sampling_rate, facts.clipped) == (2, 8_000, 0)
    assert facts.level == pytest.approx(10 * np.log10(0.125025 / 2))
    assert facts.silence == 0.5
    assert facts.snr == pytest.approx(10 * np.log10(0.125 / 0.000025 - 1))


def test_a_full_square_wave_is_0_dbfs_and_all_clipped():
    facts = audio.facts(np.repeat(square(1.0), 4), 8_000)
    assert facts.level == 0
    assert facts.clipped == 1


@pytest.mark.parametrize(
    ("waveform", "share"),
    [
        ([0, 1, 1, 1, 0, -1, -1, 0, 0.5, 0], 0.3),  # three at the top; two at the bottom are no row
        ([0, 0.6, 0.6, 0.6, 0, -0.6, -0.6, -0.6, -0.6, 0], 0.7),  # cut off before it was made quieter
        ([0, 0.01, 0.01, 0.01, 0, -0.01, 0, 0, 0, 0], 0),  # quiet: rounding makes such rows
        ([0, 0.9, 0.8, 0.9, 0.8, 0.9, 0, 0, 0, 0], 0),
    ],
)
def test_clipping_is_a_row_at_the_extreme(waveform, share):
    assert audio.facts(np.array(waveform, dtype="float32"), 8_000).clipped == pytest.approx(share)


def test_digital_silence_has_no_level_and_no_noise():
    facts = audio.facts(np.zeros(8_000, dtype="float32"), 8_000)
    assert (facts.level, facts.clipped, facts.silence, facts.snr) == (-np.inf, 0, 1, None)


def test_a_tone_without_a_pause_has_no_silence():
    facts = audio.facts(tone(1_000, 8_000), 8_000)
    assert (facts.silence, facts.snr) == (0, None)


def test_a_digital_pause_is_silence_without_noise():
    facts = audio.facts(np.concatenate([tone(1_000, 8_000), np.zeros(24_000)]), 8_000)
    assert (facts.silence, facts.snr) == (0.75, None)


def test_the_noise_under_a_tone_is_estimated():
    noise = np.random.default_rng(0).normal(0, 0.01, 32_000)
    facts = audio.facts(np.concatenate([tone(1_000, 8_000, 2.0), np.zeros(16_000)]) + noise, 8_000)
    assert facts.snr == pytest.approx(10 * np.log10(0.125 / 0.01**2), abs=0.3)
    assert facts.silence == 0.5


def test_twice_as_loud_is_6_db_more_and_otherwise_the_same():
    waveform = np.concatenate([tone(1_000, 8_000, level=0.2), square(0.005)])
    quiet, loud = audio.facts(waveform, 8_000), audio.facts(2 * waveform, 8_000)
    assert loud.level - quiet.level == pytest.approx(20 * np.log10(2))
    assert (loud.silence, loud.snr) == (quiet.silence, pytest.approx(quiet.snr))


def test_a_clip_shorter_than_a_piece_has_facts_and_none_has_not():
    assert audio.facts(square(0.5)[:10], 8_000).level == pytest.approx(20 * np.log10(0.5))
    with pytest.raises(AsrError, match="no samples"):
        audio.facts(np.zeros(0, dtype="float32"), 8_000)


# Bad input


@pytest.mark.parametrize(
    "function", [lambda wave: audio.resample(wave, 8_000, 16_000), lambda wave: audio.encode(wave, 8_000),
                 lambda wave: audio.facts(wave, 8_000)], ids=["resample", "encode", "facts"],
)  # fmt: skip
class TestWhatIsNoWaveform:
    @pytest.mark.parametrize(("shape", "axis"), [((2, 800), 0), ((800, 2), 1)], ids=["channels first", "channels last"])
    def test_several_channels(self, function, shape, axis):
        with pytest.raises(
            AsrError, match=rf"the shape \({shape[0]}, {shape[1]}\): take the mean over axis {axis}, its"
        ):
            function(np.zeros(shape, dtype=np.float32))

    @pytest.mark.parametrize("samples", [np.float32(0), np.zeros((1, 2, 3))], ids=["none", "three"])
    def test_another_number_of_axes(self, function, samples):
        with pytest.raises(AsrError, match=r"A waveform has one axis, \(num_samples,\), and this one has the shape"):
            function(samples)

    @pytest.mark.parametrize(("dtype", "full_scale"), [("int16", "32,768"), ("int32", "2,147,483,648")])
    def test_integers(self, function, dtype, full_scale):
        with pytest.raises(AsrError, match=f"this one holds {dtype}: divide by {full_scale}"):
            function(np.zeros(800, dtype=dtype))

    @pytest.mark.parametrize("dtype", ["bool", "complex64", "str", "object"])
    def test_no_numbers(self, function, dtype):
        with pytest.raises(AsrError, match=r"A waveform holds floats in \[-1, 1\], and this one holds"):
            function(np.zeros(800).astype(dtype))


@pytest.mark.parametrize("rates", [(0, 8_000), (8_000, 0), (-8_000, 8_000), (float("nan"), 8_000)])
def test_rates_that_are_none(rates):
    with pytest.raises(AsrError, match="A sampling rate is above 0 Hz, and this one is "):
        audio.resample(np.zeros(800, dtype=np.float32), *rates)
