"""A planted recogniser: what it mishears becomes the columns of prompts, and of results."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from prompt_making import mixed_prompt, speech_prompt, text_prompt

import spiritlens as sl
from spiritlens.prompts.building.segments import SpeechSegment, TextSegment
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.prompt_values import HEARD_NUMBERS
from spiritlens.prompts.recognise import recognise
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.recognition.heard import Heard
from spiritlens.speech.words import WordInterval

pytest.importorskip("jiwer", reason="jiwer counts word errors")

SUBJECT = "New Zealand"


def sound(level: float = 0.1) -> Waveform:
    return Waveform(np.full(26_880, level, np.float32), source="made")


def hearing(text: str) -> Callable[[Waveform], str]:
    return lambda waveform: text


@pytest.fixture
def spoken(spirit, units, words) -> Prompt:
    return speech_prompt(spirit, units, words, SUBJECT, "the", waveform=sound(), fact_id="nz")


def numbers(prompt: Prompt) -> list[float]:
    return [getattr(prompt, name) for name in HEARD_NUMBERS]


def test_errors_of_the_prompt_and_of_its_subject(spoken: Prompt) -> None:
    (right,) = recognise([spoken], hearing("The capital of New Zealand is..."), progress="none")
    assert (right.word_error, right.subject_word_error) == (0, 0)
    (wrong,) = recognise([spoken], hearing("the capital of you sea land is"), progress="none")
    assert (wrong.word_error, wrong.subject_word_error) == (0.5, 1.5)
    assert wrong.heard == "the capital of you sea land is"
    assert wrong.recogniser.endswith("<lambda>")
    assert wrong.id == right.id == spoken.id
    assert np.isnan([wrong.subject_units_changed, wrong.subject_share_changed]).all()  # it gives no times


def test_word_times_are_a_second_aligner(spoken: Prompt, words) -> None:
    late = [WordInterval(word.word, word.start + 0.08, word.end + 0.08) for word in words]
    (found,) = recognise([spoken], lambda waveform: Heard("the capital of new zealand is", late), progress="none")
    assert numbers(found) == [0, 0, 2, 2 / 6]
    (lost,) = recognise([spoken], lambda waveform: Heard("the capital of", late[:3]), progress="none")
    assert lost.subject_word_error == 1
    assert np.isnan(lost.subject_units_changed)


def test_times_of_a_part_are_those_of_its_recording(spirit, units, words) -> None:
    segment = SpeechSegment(units, words, sound()).part(SUBJECT)
    prompt = mixed_prompt(spirit, [TextSegment("the capital of"), segment, TextSegment("is")], SUBJECT)
    heard = Heard("new zealand", [WordInterval("new", 0, 0.24), WordInterval("zealand", 0.24, 0.48)])
    (found,) = recognise([prompt], lambda waveform: heard, progress="none")
    assert numbers(found) == [0, 0, 0, 0]


def test_written_prompts_pass_and_those_without_sound_are_told(spirit, units, words, spoken: Prompt) -> None:
    written = text_prompt(spirit, "the capital of new zealand is", SUBJECT, "the")
    silent = speech_prompt(spirit, units, words, SUBJECT, "the", voice="units alone")
    with pytest.warns(UserWarning, match=rf"1 of 3 prompts cannot be listened to.*\({silent.id}: it has units but no"):
        found = recognise([written, silent, spoken], hearing("no"), progress="none")
    assert found == (written, silent, spoken)
    assert np.isnan([numbers(prompt) for prompt in found[:2]]).all()
    assert found[2].word_error == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert recognise([written], hearing("no"), progress="none") == (written,)
    again = replace(silent, word_error=0.5, heard="of another run")
    with pytest.warns(UserWarning, match="cannot be listened to"):
        (cleared,) = recognise([again], hearing("no"), progress="none")
    assert (cleared.heard, str(cleared.word_error)) == ("", "nan")


def test_each_sound_is_listened_to_once_and_kept_where_the_recogniser_has_a_digest(spirit, units, words) -> None:
    class Counting:
        digest = "counting, of this test"
        calls = 0

        def __call__(self, waveform: Waveform) -> str:
            self.calls += 1
            return "the capital"

    one, twin, other = (speech_prompt(spirit, units, words, waveform=sound(level)) for level in (0.1, 0.1, 0.2))
    asked = Counting()
    first = recognise([one, twin, other], asked, progress="none")
    assert asked.calls == 2
    again = recognise([other, one], asked, progress="none")
    assert asked.calls == 2
    assert again[0].heard == first[2].heard == "the capital"
    anonymous = Counting()
    anonymous.digest = ""
    for _ in range(2):
        recognise([one, twin], anonymous, progress="none")
    assert anonymous.calls == 2


def test_what_is_heard_becomes_columns_of_every_result_and_a_filter() -> None:
    planted = sl.planted()
    prompts = tuple(
        replace(
            prompt, heard=f"heard {place}", recogniser="planted", word_error=place / 8, subject_word_error=place % 2
        )
        if prompt.kind == "S2T"
        else prompt
        for place, prompt in enumerate((*planted.prompts[:2], *planted.prompts[-2:]))
    )
    expected = np.array([prompt.word_error for prompt in prompts])
    effects = sl.causal_trace(planted.lens, prompts, sl.Grid(("resid_pre",), at="role"), samples=1, progress="none")
    quiet = {"progress": "none"}
    for result in (
        effects,
        sl.heads.attention_mass(planted.lens, prompts, **quiet),
        sl.heads.direct_logit_attribution(planted.lens, prompts, **quiet),
        sl.lenses.logit_lens(planted.lens, prompts, **quiet),
        sl.tracing.dose_curve(planted.lens, prompts, multiples=(1.0,), samples=1),
    ):
        assert np.array_equal(result["word_error"].values, expected, equal_nan=True)
        assert result["heard"].values.tolist() == [prompt.heard for prompt in prompts]
    right = effects.isel(prompt=~(effects["subject_word_error"] > 0))
    kept = [prompt.id for prompt in prompts if not prompt.subject_word_error > 0]
    assert right["prompt_id"].values.tolist() == kept
    assert 0 < len(kept) < len(prompts)


def test_a_folder_takes_what_was_heard_since(tmp_path) -> None:
    planted = sl.planted()
    prompts = planted.prompts[:2]

    def trace(some):
        grid = sl.Grid(("resid_pre",), at="role")
        return sl.causal_trace(planted.lens, some, grid, samples=1, folder=tmp_path, progress="none")

    before = trace(prompts)
    heard = [replace(prompt, heard="it", recogniser="planted", word_error=0.25) for prompt in prompts]
    after = trace(heard)
    assert np.isnan(before["word_error"]).all()
    assert after["word_error"].values.tolist() == [0.25, 0.25]
    assert np.array_equal(after["restored"], before["restored"], equal_nan=True)
    assert sl.effects.load(tmp_path / "effects.nc")["recogniser"].values.tolist() == ["planted"] * 2
