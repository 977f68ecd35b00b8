"""Voices: words and phones in time, and the same bytes in any order and process."""

import multiprocessing
import time

import numpy as np
import pytest

from spiritlens.speech.audio.waveform import read_waveform
from spiritlens.speech.engines.espeak import EspeakVoice
from spiritlens.speech.engines.phones import PAUSE
from spiritlens.speech.voices.names import available_voices, voice
from spiritlens.terms import DEFAULT_VOICE

TEXT = "the capital of france is paris"
EACH_VOICE = ["espeak:en-us", "espeak:en-us+f2", "espeak:en-gb+m7", "espeak-debian:en-us", "flite:slt", "flite:kal16"]


def speaker(name, available, **settings):
    if name.partition(":")[0] not in available:
        pytest.skip(f"{name} does not speak on this machine")
    return voice(name, **settings)


def digest(arguments) -> str:
    """What a worker process answers."""
    name, text, rate, pitch = arguments
    return voice(name, rate, pitch).speak(text).waveform.digest


@pytest.mark.parametrize("name", EACH_VOICE)
def test_words_and_phones_cover_the_audio(name, available):
    utterance = speaker(name, available).speak(TEXT)
    assert [word.word for word in utterance.words] == TEXT.split()
    assert utterance.voice == name
    assert utterance.engine.split()[1][0].isdigit()
    assert all(phone.label for phone in utterance.phones)
    edges = [phone.start for phone in utterance.phones[1:]]
    assert np.allclose(edges, [phone.end for phone in utterance.phones[:-1]], atol=1e-6)
    assert utterance.phones[-1].end <= utterance.waveform.duration
    france, paris = utterance.words[3], utterance.words[5]
    inside = [phone.label for phone in utterance.phones if france.start - 1e-6 <= phone.start < france.end - 1e-6]
    assert inside == ["f", "r", "ae", "n", "s"]
    assert next(phone.label for phone in utterance.phones if phone.start >= paris.start - 1e-6) == "p"


@pytest.mark.parametrize("name", EACH_VOICE)
def test_speech_lies_where_the_words_are(name, available):
    utterance = speaker(name, available).speak(TEXT)
    samples, rate = utterance.waveform.samples, utterance.waveform.rate
    for word in utterance.words:
        inside = samples[round(word.start * rate) : round(word.end * rate)]
        assert np.sqrt((inside**2).mean()) > 0.01, word
    pauses = [phone for phone in utterance.phones if phone.label == PAUSE]
    for pause in pauses:
        assert (
            np.abs(samples[round((pause.start + 0.04) * rate) : round((pause.end - 0.04) * rate)]).max(initial=0) < 0.05
        )


@pytest.mark.parametrize("name", EACH_VOICE)
def test_same_bytes_in_any_order_and_process(name, available):
    speaking = speaker(name, available)
    first = speaking.speak(TEXT)
    voice(name, rate=1.2).speak("something else entirely")
    again = speaking.speak(TEXT)
    assert again.waveform.digest == first.waveform.digest
    assert again.words == first.words
    assert again.phones == first.phones
    if name.endswith("+f2"):
        time.sleep(1.1)  # espeak-ng seeds the noise of breathy variants by the clock's second unless it is kept from it
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        others = pool.map(digest, [(name, "a first text", 1.0, 1.0), (name, TEXT, 1.0, 1.0)])
    assert others[1] == first.waveform.digest


def test_workers_forked_from_a_speaking_process_speak_alike(spoken):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        digests = pool.map(digest, [(DEFAULT_VOICE, TEXT, 1.0, 1.0)] * 4)
    assert set(digests) == {spoken.waveform.digest}


@pytest.mark.parametrize("name", ["espeak:en-us", "flite:slt"])
def test_rate_and_pitch(name, available):
    usual = speaker(name, available).speak(TEXT).trimmed()
    fast = voice(name, rate=1.25).speak(TEXT).trimmed()
    assert 1.1 < usual.waveform.duration / fast.waveform.duration < 1.4
    high = voice(name, pitch=1.25).speak(TEXT)
    assert (fast.voice, high.voice) == (f"{name} rate 1.25", f"{name} pitch 1.25")
    assert f0(high.waveform.samples) / f0(usual.waveform.samples) == pytest.approx(1.25, rel=0.08)


def f0(samples: np.ndarray) -> float:
    """Median fundamental frequency by autocorrelation, Hz."""
    found = []
    for start in range(0, len(samples) - 1024, 320):
        frame = samples[start : start + 1024] - samples[start : start + 1024].mean()
        if np.abs(frame).max() < 0.05:
            continue
        correlation = np.correlate(frame, frame, "full")[1023:]
        lag = int(np.argmax(correlation[40:300])) + 40
        if correlation[lag] > 0.7 * correlation[0]:
            found.append(16000 / lag)
    return float(np.median(found))


def test_words_that_espeak_runs_together_share_an_interval():
    words = voice().speak("it lies in the city").words
    assert (words[2].start, words[2].end) == (words[3].start, words[3].end)
    assert words[1].end <= words[2].start < words[4].start


def test_numbers_are_written_out_for_every_engine(available):
    for name in ("espeak:en-us", "flite:slt"):
        if name.partition(":")[0] in available:
            assert [w.word for w in voice(name).speak("Born in 1984, wasn't he?").words] == [
                "Born", "in", "nineteen", "eighty", "four", "wasn't", "he",
            ]  # fmt: skip


@pytest.mark.parametrize("name", ["espeak:en-us", "flite:kal16", "festival:ked_diphone"])
def test_letters_with_marks(name, available):
    words = speaker(name, available).speak("Côte d'Ivoire, São Tomé and Tromsø").words
    assert [word.word for word in words] == ["Côte", "d'Ivoire", "São", "Tomé", "and", "Tromsø"]


def test_letters_that_a_voice_does_not_know(available):
    with pytest.raises(ValueError, match="write it in English letters"):
        speaker("flite:slt", available).speak("北京 is a city")


def test_festival(available):
    utterance = speaker("festival:ked_diphone", available).speak(TEXT)
    assert [word.word for word in utterance.words] == TEXT.split()
    assert all(phone.label for phone in utterance.phones)


def test_trimmed_keeps_words_on_their_sound(available):
    utterance = voice("flite:slt" if "flite" in available else DEFAULT_VOICE).speak(TEXT)
    trimmed = utterance.trimmed(pad=0.04)
    shift = utterance.words[2].start - trimmed.words[2].start
    assert trimmed.waveform.duration <= utterance.waveform.duration
    for before, after in zip(utterance.words, trimmed.words, strict=True):
        assert before.end - after.end == pytest.approx(shift, abs=1e-9)
    start = round(shift * 16000)
    assert np.array_equal(trimmed.waveform.samples, utterance.waveform.samples[start : start + len(trimmed.waveform)])
    assert np.abs(trimmed.waveform.samples[: round(0.03 * 16000)]).max() < 0.05


def test_resampled_scales_duration_times_and_pitch(spoken):
    faster = spoken.resampled(1.1)
    assert faster.waveform.duration == pytest.approx(spoken.waveform.duration / 1.1, abs=1e-3)
    assert faster.words[3].start == pytest.approx(spoken.words[3].start / 1.1)
    assert faster.phones[4].end == pytest.approx(spoken.phones[4].end / 1.1)
    assert f0(faster.waveform.samples) == pytest.approx(1.1 * f0(spoken.waveform.samples), rel=0.05)
    with pytest.raises(ValueError, match=r"factor is 3.*0\.5 to 2"):
        spoken.resampled(3)


def test_wav_holds_exactly_the_samples(tmp_path, spoken):
    path = spoken.waveform.write(tmp_path / "spoken.wav")
    assert np.array_equal(read_waveform(path).samples, spoken.waveform.samples)


def test_voices_lists_the_default_and_how_to_get_the_others():
    listed = {info.name: info for info in available_voices()}
    assert listed[DEFAULT_VOICE].available
    assert listed[DEFAULT_VOICE].version.startswith("1.5")
    assert {"flite:slt", "flite:awb", "flite:rms", "flite:kal16", "espeak-debian:en-us"} <= set(listed)
    assert all(info.remedy for info in listed.values())


@pytest.mark.parametrize("name", ["nobody", "espeak", "acme:bob"])
def test_unknown_engine(name):
    with pytest.raises(ValueError, match="ENGINE:VOICE"):
        voice(name)


@pytest.mark.parametrize(
    "name",
    [
        "espeak:xx-yy",
        "espeak:en-us+nobody",
        "espeak:en-us+F2",
        "espeak:EN-US",
        "espeak:en-us+",
        "espeak:en-us+f2+f3",
        "espeak:en-us+../../x",
        "espeak:en-us\0x",
        "espeak-debian:en-us+f9",
        "flite:bob",
        "flite:SLT",
        "festival:rab_diphone",
        "festival:ked_diphone)(exit",
        "piper:jo",
    ],
)
def test_a_name_that_the_engine_does_not_list_is_refused_and_not_spoken_as_another_voice(name, available):
    if name.partition(":")[0] == "espeak-debian" and "espeak-debian" not in available:
        pytest.skip("no Debian espeak-ng on this machine")
    with pytest.raises(ValueError, match=r"has no voice|is not known"):
        voice(name)


def test_a_voice_made_by_hand_is_checked_too():
    with pytest.raises(ValueError, match=r"'nobody'; it has \d+, the nearest"):
        EspeakVoice("espeak", "en-us+nobody").speak(TEXT)


def test_all_listed_voices_are_the_engine_s_own(available):
    for info in available_voices():
        if info.engine in available:
            assert voice(info.name).name == info.name


def test_names_that_look_like_roman_numerals(available):
    """espeak-ng reads "xi" as "Roman eleven": a word more than the text has."""
    phones = [phone.label for phone in voice().speak("Xi").phones if phone.label != PAUSE]
    assert phones == ["sh", "iy"]
    assert len(voice().speak("Xi Jinping").words) == 2
    with pytest.raises(ValueError, match="reads 'Xv' as a Roman numeral"):
        voice().speak("Xv")


def test_letters_that_espeak_spells_by_their_number():
    usual, marked = (voice().speak(name).phones for name in ("nguyen", "nguyễn"))
    assert [phone.label for phone in marked] == [phone.label for phone in usual]


@pytest.mark.parametrize("settings", [{"rate": 9}, {"rate": 0.1}, {"pitch": 4}, {"pitch": 0.1}])
def test_settings_out_of_range(settings):
    with pytest.raises(ValueError, match=r"espeak-ng (speaks|takes)"):
        voice(**settings)


@pytest.mark.parametrize("value", ["fast", float("nan"), None, True, 0, -1, float("inf")])
@pytest.mark.parametrize("name", ["espeak:en-us", "flite:kal16", "festival:ked_diphone"])
def test_settings_that_are_no_numbers(name, value, available):
    speaker(name, available)
    for setting in ("rate", "pitch"):
        with pytest.raises(ValueError, match=f"{setting}=.*expected a number"):
            voice(name, **{setting: value})


def test_fixed_pitch_is_said(available):
    with pytest.raises(ValueError, match="fixed pitch"):
        speaker("flite:rms", available, pitch=1.2)


def test_blank_text():
    with pytest.raises(ValueError, match="holds no word"):
        voice().speak("  ")


@pytest.mark.parametrize("name", ["espeak:en-us", "flite:kal16", "festival:ked_diphone"])
def test_signs_numbers_and_possessives_in_every_engine(name, available):
    words = speaker(name, available).speak("Henry VIII's -1 or $5.50: 3/4 of C# at X.com, 10:00").words
    assert " ".join(word.word for word in words) == (
        "Henry eight's minus one or five dollars and fifty cents three quarters of C sharp at X dot com ten o'clock"
    )


def test_odd_settings_of_an_utterance(spoken):
    for value in (float("nan"), -0.1, "0.04", None):
        with pytest.raises(ValueError, match=r"pad=.*expected a number"):
            spoken.trimmed(pad=value)
    for value in (float("nan"), "1", None):
        with pytest.raises(ValueError, match=r"factor=.*expected a number"):
            spoken.resampled(value)
