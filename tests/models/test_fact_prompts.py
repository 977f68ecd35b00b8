"""Facts with their sounds as prompts: voices are a factor, reasons are true, and a second run encodes nothing."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from clips import clip, said, timed

import spiritlens as sl
from spiritlens.models.fact_prompts import (
    SoundError,
    own_sound,
    sounded_prompt,
    spoken_prompt,
    spoken_prompts,
    with_cached_units,
)
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.sounds import FactSound
from spiritlens.speech.alignment import cached
from spiritlens.speech.encoders.cached import CachedEncoder
from spiritlens.speech.voices.names import voice

TEMPLATES = {"first": "The capital of {subject} is", "second": "The capital city of {subject} is named"}


@pytest.fixture(scope="module")
def lens():
    return sl.load()


def fact(subject="France", answer="Paris", sounds=(), **more):
    return Fact(
        f"capital/{subject}", "capital", subject, answer, more.pop("foil", ""), TEMPLATES, sounds=sounds, **more
    )


def sound_of(one, phrasing="first", name="anna", words=True):
    text = one.text(phrasing)
    return FactSound(name, phrasing, clip(text), timed(text) if words else None)


@pytest.fixture(scope="module")
def france():
    one = fact(foil="Rome", group="both", aliases=("City of Paris",))
    other = voice("espeak:en-us+f2").speak(one.text()).waveform
    sounds = (sound_of(one), FactSound("ben", "first", other), sound_of(one, "second", words=False))
    return replace(one, sounds=sounds)


def test_a_sound_is_the_prompt_of_its_audio_and_its_words(lens, france):
    sound = france.sounds[0]
    prompt = sounded_prompt(lens, france, sound)
    own = lens.audio(said(france.text()).waveform, "France", "Paris", "Rome", words=timed(france.text()))
    assert prompt.ids == own.ids
    assert prompt.subject == own.subject
    about = (prompt.fact_id, prompt.relation, prompt.phrasing, prompt.voice, prompt.group, prompt.aliases)
    assert about == ("capital/France", "capital", "first", "anna", "both", ("City of Paris",))
    aligned = sounded_prompt(lens, france, france.sounds[2])
    assert aligned.words == ("The", "capital", "city", "of", "France", "is", "named")
    assert aligned.subject.name == "France"


def test_voices_are_a_factor_with_one_written_twin(lens, france):
    made = spoken_prompts(lens, [france], progress="none")
    assert [(prompt.voice, prompt.phrasing) for prompt in made.spoken] == [
        ("anna", "first"),
        ("ben", "first"),
        ("anna", "second"),
    ]
    assert [prompt.phrasing for prompt in made.written] == ["first", "second"]
    assert made.written[0].ids == lens.text(france.text(), "France", "Paris", "Rome").ids
    effects = sl.causal_trace(lens, made.prompts, sl.Grid(at="role"), samples=1, progress="none")
    assert list(effects.voice.values) == ["", "", "anna", "ben", "anna"]
    chosen = spoken_prompts(lens, [france], voices=["ben"], phrasings=["first"], progress="none")
    assert [prompt.voice for prompt in chosen.spoken] == ["ben"]
    assert len(chosen.written) == 1


class Counting:
    """The encoder of a lens that counts what it encodes."""

    def __init__(self, encoder):
        self.encoder, self.calls = encoder, 0
        self.name, self.rate, self.n_units, self.digest = encoder.name, encoder.rate, encoder.n_units, "counted"

    def encode(self, waveform):
        self.calls += 1
        return self.encoder.encode(waveform)


def test_a_second_run_encodes_and_aligns_nothing(lens, france, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIRITLENS_CACHE", str(tmp_path))
    aligned, align = [], cached.align_doubtfully
    monkeypatch.setattr(cached, "align_doubtfully", lambda *given: aligned.append(1) or align(*given))
    encoder = Counting(lens.encoder)
    own = replace(lens, encoder=encoder)
    first = spoken_prompts(own, [france], progress="none")
    assert (encoder.calls, len(aligned)) == (3, 2)
    again = spoken_prompts(own, [france], progress="none")
    assert (encoder.calls, len(aligned)) == (3, 2)
    assert [prompt.id for prompt in again.spoken] == [prompt.id for prompt in first.spoken]
    wrapped = with_cached_units(own)
    assert isinstance(wrapped.encoder, CachedEncoder)
    assert with_cached_units(wrapped) is wrapped


def test_a_subject_is_found_in_what_was_said_with_words_of_its_own(lens):
    """Its words do not spell it, the fact's prompt does: hyphen and possessive."""
    templates = {"first": "{subject}'s profession is an"}
    one = Fact("actor", "job", "Jung Ryeo-won", "actor", "", templates)
    words = ["Jung", "Ryeo", "won's", "profession", "is", "an"]
    sound = FactSound(
        "anna", "first", said(one.text()).waveform, [(word, n / 5, (n + 1) / 5) for n, word in enumerate(words)]
    )
    assert sounded_prompt(lens, one, sound).subject.name == "Jung Ryeo won's"


def test_each_reason_is_told_and_the_others_go_on(lens, france, tmp_path):
    broken, plain = {"bytes": b"no sound", "path": "b.mp3"}, fact()
    right = clip(plain.text())
    late = [(word, start + 9, end + 9) for word, start, end in timed(plain.text())]
    other = timed("The capital of Spain is")
    silent = np.zeros(16000, "float32")
    start, end = timed(plain.text())[3][1], timed(plain.text())[4][2]
    merged = [*timed(plain.text())[:3], *((word, start, end) for word in ("France", "is"))]
    foils = (
        "Prague",
        "Madrid",
        "Berlin",
        "Lisbon",
        "Vienna",
        "Athens",
        "Oslo",
        "Warsaw",
        "Sofia",
    )  # each fact another prompt
    facts = [
        france,
        fact("Spain", "Madrid"),
        *(
            replace(plain, id=name, sounds=(FactSound("", "", audio, words),), foil=foil, **more)
            for foil, (name, audio, words, more) in zip(
                foils,
                (
                    ("none", None, None, {}),
                    ("gone", tmp_path / "gone.wav", None, {}),
                    ("broken", broken, None, {}),
                    ("silent", {"array": silent, "sampling_rate": 16000}, timed(plain.text()), {}),
                    ("late", right, late, {}),
                    ("other", right, other, {}),
                    ("merged", right, merged, {}),
                    ("short", said(plain.text()).waveform.slice(0, 0.1), None, {}),
                    ("answer", right, None, {"answer": "Zürich 東京"}),
                ),
                strict=True,
            )
        ),
        replace(plain, id="phrasing", sounds=(FactSound("", "third", right),)),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = spoken_prompts(lens, facts, progress="none")
    found = {row.id: row.reason for row in made.left_out.rows}
    assert len(made.spoken) == 3
    assert found == {
        "capital/Spain": "no sound",
        "none": "no sound",
        "gone": "the sound cannot be read",
        "broken": "the sound cannot be read",
        "silent": "the sound cannot be read",
        "late": "the words do not fit the sound",
        "other": "the subject is not in the prompt",
        "merged": "the subject has no tokens of its own",
        "short": "the words do not fit the sound",
        "answer": "the answer cannot be written",
        "phrasing (third)": "no prompt",
    }
    assert "3 spoken prompts, 2 written ones" in str(made)


def test_one_prompt_of_a_fact_for_a_study(lens, france):
    assert spoken_prompt(lens, france).voice == "anna"
    assert spoken_prompt(lens, france, voice="ben", phrasing="first").voice == "ben"
    synthetic = spoken_prompt(lens, fact(), phrasing="second")
    assert synthetic.ids == lens.speak(fact().text("second"), "France", "Paris").ids
    assert synthetic.voice == "espeak:en-us"
    with pytest.raises(SoundError, match=r"no sound in this voice or phrasing; it has anna \(first\), ben \(first\)"):
        spoken_prompt(lens, france, voice="carla")
    assert own_sound(france, phrasing="second") is france.sounds[2]
    assert own_sound(france, "espeak:en-us") is france.sounds[0], "no voice was meant but its own"
    default = replace(france.sounds[1], voice="espeak:en-us")
    assert own_sound(replace(france, sounds=(*france.sounds, default)), "espeak:en-us") is default


def test_a_prompt_that_is_too_long_is_told(lens):
    text = " ".join(["the capital of france is"] * 40)
    long = Fact("long", "capital", "", "paris", "", {"first": text}, sounds=(FactSound("", "", said(text).waveform),))
    short = replace(fact(), sounds=(sound_of(fact()),))
    made = spoken_prompts(lens, [long, short], progress="none")
    assert made.left_out.counts == {"too long for the model": 1}


def test_refusals(lens):
    with pytest.raises(
        ValueError, match=r"none of the 1 facts becomes a spoken prompt; the first: the fact brings no sound; sl.*speak"
    ):
        spoken_prompts(lens, [fact()], progress="none")
    with pytest.raises(ValueError, match="progress=True"):
        spoken_prompts(lens, [fact()], progress=True)
    with pytest.raises(ValueError, match="expected several"):
        spoken_prompts(lens, [fact()], voices="anna", progress="none")
    with pytest.raises(ValueError, match="no speech encoder"):
        spoken_prompts(replace(lens, encoder=None), [fact()], progress="none")
