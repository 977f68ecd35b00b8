"""The forced aligner against the times that the synthesiser knows, and its refusals and doubts."""

import warnings

import numpy as np
import pytest

from spiritlens.speech.alignment import sphinx
from spiritlens.speech.alignment.forced import AlignmentError, AlignmentWarning, align
from spiritlens.speech.audio.waveform import AudioError, Waveform
from spiritlens.speech.voices.names import voice

pytest.importorskip("pocketsphinx")

SENTENCES = (
    "she found the old key under the kitchen table",
    "people often drink coffee in the morning before going to work",
    "the train to the north leaves at noon from the second platform",
)


@pytest.mark.parametrize("name", ["espeak:en-us", "flite:slt", "flite:rms"])
def test_word_starts_agree_with_the_synthesiser(name, available):
    if name.partition(":")[0] not in available:
        pytest.skip(f"{name} does not speak on this machine")
    errors = []
    for sentence in SENTENCES:
        utterance = voice(name).speak(sentence)
        aligned = align(utterance.waveform, sentence)
        assert [word.word for word in aligned] == sentence.split()
        starts = [word.start for word in utterance.words]
        own = [start not in starts[:index] for index, start in enumerate(starts)]  # not the second word of "in the"
        errors += [abs(word.start - start) for word, start, alone in zip(aligned, starts, own, strict=True) if alone]
    assert np.median(errors) <= 0.015
    assert np.quantile(errors, 0.95) <= 0.06  # 15 words each; the benchmark holds 50 ms over many


def test_right_texts_raise_no_doubt(spoken):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        align(spoken.waveform, spoken.text)


def test_nothing_depends_on_what_was_aligned_before(spoken):
    first = align(spoken.waveform, spoken.text)
    other = voice().speak(SENTENCES[0])
    align(other.waveform, other.text)
    assert align(spoken.waveform, spoken.text) == first


def test_words_outside_of_the_dictionary_are_spoken_by_espeak():
    utterance = voice().speak("the capital of lesotho is maseru")
    aligned = align(utterance.waveform, "The capital of Lesotho is Maseru.")
    assert aligned[-1].word == "Maseru"
    assert aligned[-1].start == pytest.approx(utterance.words[-1].start, abs=0.05)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_alignment_that_was_stopped_leaves_no_trace(monkeypatch, error):
    """Nor does one that fails at the first noise floor: the words that the dictionary lacks are there at the next."""
    utterance = voice().speak("the capital of lesotho is maseru")
    expected = align(utterance.waveform, utterance.text)
    padded, floors = sphinx.padded_with_noise, []

    def fail_once(waveform, floor):
        floors.append(floor)
        if len(floors) == 1:
            raise error
        return padded(waveform, floor)

    monkeypatch.setattr(sphinx, "padded_with_noise", fail_once)
    if error is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            align(utterance.waveform, utterance.text)
    again = align(utterance.waveform, utterance.text)
    assert [word.word for word in again] == [word.word for word in expected]
    assert len(floors) == 2
    assert [word.start for word in again] == pytest.approx([word.start for word in expected], abs=0.05)


def test_letters_with_marks():
    utterance = voice().speak("she flew from Zürich to Côte d'Ivoire")
    aligned = align(utterance.waveform, utterance.text)
    assert [word.word for word in aligned] == [word.word for word in utterance.words]


def test_audio_from_a_file_and_numbers(tmp_path):
    utterance = voice().speak("she was born in 1984 in paris")
    path = utterance.waveform.write(tmp_path / "born.wav")
    assert [word.word for word in align(path, "She was born in 1984 in Paris")][4:7] == ["nineteen", "eighty", "four"]


def test_text_that_the_audio_cannot_hold(spoken):
    with pytest.raises(AlignmentError, match="cannot be placed in espeak:en-us"):
        align(spoken.waveform, " ".join(SENTENCES))


def test_too_short_audio():
    noise = np.random.default_rng(0).standard_normal(1600).astype(np.float32) * 0.01
    with pytest.raises(AlignmentError, match="cannot be placed"):
        align(Waveform(noise), "the capital of france")


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("the capital of is paris", "speech at|times longer"),
        ("the capital of madagascar is paris", "too short to be said|times (longer|shorter)|cannot be placed"),
    ],
)
def test_wrong_texts_are_doubted(spoken, text, doubt):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AlignmentWarning)
        try:
            align(spoken.waveform, text)
            said = " ".join(str(warning.message) for warning in caught)
        except AlignmentError as error:
            said = str(error)
    assert any(
        part in said for part in ("speech at", "times longer", "times shorter", "too short", "cannot be placed")
    ), doubt


def test_other_rate(tone):
    with pytest.raises(AudioError, match="the aligner takes 16000 Hz"):
        align(Waveform(tone, rate=8000), "hello")


def test_blank_text(spoken):
    with pytest.raises(ValueError, match="holds no word"):
        align(spoken.waveform, "")
