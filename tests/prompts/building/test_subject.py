"""Finding the subject in the words: the cases of METHODS' pitfalls 3 and 4, and every error."""

from dataclasses import replace

import numpy as np
import pytest
from family_folders import llama_folder, spirit_strings
from hypothesis import given
from hypothesis import strategies as st
from prompt_making import mixed_prompt, speech_prompt, text_prompt
from sentencepiece import sentencepiece_model_pb2

from spiritlens.prompts.building.segments import SpeechSegment, TextSegment
from spiritlens.prompts.building.subject import SubjectError, SubjectTokensError
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.writing import writable
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval


def subject_of(vocabulary, text, subject, **more):
    prompt = text_prompt(vocabulary, text, subject, "the", **more)
    return prompt.subject.name, [prompt.labels[position] for position in prompt.subject]


def heard(words, n_units=42):
    return SpeechSegment(UnitStream.from_frames(np.arange(n_units)), words)


@pytest.mark.parametrize("vocabulary", ["user_defined", "added_tokens", "embedded", "sims", "text"])
@pytest.mark.parametrize(
    "text",
    [
        "Rome lies in",
        "the city of Rome",
        "in Rome, the city",
        "“Rome” is",
        "(Rome) is",
        "Rome: a city",
        "not romeo, Rome!",
    ],
)
def test_punctuation_is_not_part_of_the_subject(vocabularies, vocabulary, text):
    _, tokens = subject_of(vocabularies[vocabulary], text, "Rome")
    spelled = "".join(tokens).replace("▁", "").replace("Ġ", "")
    assert spelled.lower() == "rome"


def test_a_possessive_is_not_part_of_the_subject(embedded):
    name, tokens = subject_of(embedded, "Spain's capital is", "Spain")
    assert name == "spain"
    assert "".join(tokens) == "▁spain"
    prompt = text_prompt(embedded, "Spain's capital is", "Spain", "the")
    assert prompt.words == ("spain's", "capital", "is")
    assert prompt.roles[prompt.subject.last + 1] == "after subject"


def test_a_piece_that_joins_subject_and_punctuation_is_refused(tmp_path):
    """A vocabulary with the piece ``e,``: the comma hangs on the subject's last token."""
    folder = llama_folder(tmp_path / "joined", spirit_strings(8))
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((folder / "tokenizer.model").read_bytes())
    model.pieces[300].piece = "e,"
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    vocabulary = Vocabulary.load(folder)
    with pytest.raises(
        SubjectTokensError, match="the token 'e,' joins the subject 'Rome' with ','; rephrase the prompt"
    ):
        subject_of(vocabulary, "in Rome, the city", "Rome")
    assert subject_of(vocabulary, "in Rome , the city", "Rome")[0] == "Rome"
    joined = Fact("joined", "any", "Rome", "the", "", {"first": "in {subject}, the city"})
    assert writable(vocabulary, [joined]).left_out.counts == {"the subject has no tokens of its own": 1}


def test_whole_words_only(spirit):
    with pytest.raises(
        ValueError, match="the subject 'Zea' does not occur in the words 'The capital of New Zealand is'"
    ):
        subject_of(spirit, "The capital of New Zealand is", "Zea")
    with pytest.raises(ValueError, match="'Guinea' does not occur in the words 'in Guinea-Bissau'"):
        subject_of(spirit, "in Guinea-Bissau", "Guinea")


def test_the_given_case_comes_first_then_any(spirit):
    assert subject_of(spirit, "a turkey in Turkey", "Turkey")[0] == "Turkey"
    assert subject_of(spirit, "a turkey in Turkey", "turkey")[0] == "turkey"
    assert subject_of(spirit, "the capital of Turkey", "turkey")[0] == "Turkey"


def test_a_subject_over_several_blanks(spirit):
    assert subject_of(spirit, "of New  Zealand is", "New Zealand")[0] == "New  Zealand"


def test_several_occurrences_ask_which(spirit):
    text = "Rome, said Rome, is Rome"
    with pytest.raises(
        ValueError, match=r"'Rome' occurs 3 times in the words 'Rome said Rome is Rome'.*occurrence=0 to 2"
    ):
        subject_of(spirit, text, "Rome")
    firsts = [text_prompt(spirit, text, "Rome", "the", occurrence=index).subject.first for index in (0, 1, 2, -1)]
    assert firsts == [*sorted(set(firsts)), firsts[2]]
    with pytest.raises(ValueError, match=r"occurrence=3, but the subject 'Rome' occurs 3 time\(s\)"):
        subject_of(spirit, text, "Rome", occurrence=3)


def test_occurrences_are_counted_through_all_segments(spirit):
    words = [WordInterval("rome", 0.0, 0.4), WordInterval("and", 0.4, 0.8), WordInterval("rome", 0.8, 1.2)]
    segments = [TextSegment("Rome is"), heard(words)]
    prompts = [mixed_prompt(spirit, segments, "Rome", "the", occurrence=index) for index in range(3)]
    assert [prompt.modalities[prompt.subject.first] for prompt in prompts] == ["text", "speech", "speech"]
    assert prompts[1].subject.last < prompts[2].subject.first


def test_an_empty_subject(spirit):
    with pytest.raises(ValueError, match="the subject is empty"):
        subject_of(spirit, "the capital", " ")


def test_a_subject_that_does_not_occur(spirit, units, words):
    with pytest.raises(ValueError, match="'Spain' does not occur in the words 'the capital of new zealand is'"):
        speech_prompt(spirit, units, words, "Spain", "Madrid")


def test_a_subject_on_both_sides_of_a_marker(spirit):
    segments = [TextSegment("the capital of New"), heard([WordInterval("zealand", 0.0, 0.8)])]
    with pytest.raises(ValueError, match="'New Zealand' stands on both sides of a marker"):
        mixed_prompt(spirit, segments, "New Zealand", "Wellington")


def test_a_formula_s_words_are_no_subject(vocabularies):
    with pytest.raises(ValueError, match="'Human' does not occur in the words 'The capital'"):
        subject_of(vocabularies["speechgpt"], "The capital", "Human")


# ---- speech ------------------------------------------------------------------------------------------------------


def test_case_and_punctuation_do_not_count_in_speech(spirit, units):
    words = [WordInterval("In", 0.1, 0.4), WordInterval("Rome,", 0.4, 0.8), WordInterval("Italy's", 0.8, 1.2)]
    prompt = speech_prompt(spirit, units, words, "rome", "the")
    assert prompt.subject.name == "Rome,"
    assert speech_prompt(spirit, units, words, "italy", "the").subject.name == "Italy's"  # as in writing


def said(text, words):
    intervals = [WordInterval(word, 0.2 * n, 0.2 * n + 0.2) for n, word in enumerate(words.split())]
    return replace(heard(intervals), text=text)


def spoken_subject(vocabulary, text, words, subject, **more):
    return mixed_prompt(vocabulary, [said(text, words)], subject, "the", **more).subject


def test_a_subject_is_the_words_that_were_said_for_its_characters(spirit):
    assert spoken_subject(spirit, "Apollo 11 is", "Apollo eleven is", "Apollo 11").positions == tuple(range(3, 13))
    text, words = "B.B. King, 1917 is", "B B King nineteen seventeen is"
    assert spoken_subject(spirit, text, words, "1917").name == "nineteen seventeen"
    assert spoken_subject(spirit, text, words, "B.B. King, 1917").name == "B B King nineteen seventeen"


def test_half_a_spoken_word_is_refused(spirit):
    for text, words, subject, why in (
        ("C++ is", "C plus plus is", "C", r"only a part of 'C\+\+'"),
        ("1917 is", "nineteen seventeen is", "19", "only a part of '1917'"),
        ("Guinea-Bissau is", "Guinea Bissau is", "Guinea", "only a part of 'Guinea-Bissau'"),
    ):
        with pytest.raises(ValueError, match=why):
            spoken_subject(spirit, text, words, subject)
    with pytest.raises(SubjectTokensError, match="no units of its own: 'Aurore' is spoken as a part of 'L'Aurore'"):
        spoken_subject(spirit, "L'Aurore is", "L'Aurore is", "Aurore")


def test_occurrences_in_speech_are_counted_as_in_writing(spirit, embedded):
    text, words = "a turkey in Turkey", "a turkey in Turkey"
    assert spoken_subject(spirit, text, words, "Turkey").first == 18
    for prompt_of in (
        lambda **more: text_prompt(embedded, text, "Turkey", "the", **more),
        lambda **more: mixed_prompt(embedded, [said(text, words)], "Turkey", "the", **more),
    ):
        with pytest.raises(ValueError, match="occurs 2 times"):
            prompt_of()
        assert prompt_of(occurrence=1).subject.name.lower() == "turkey"


def test_the_reason_of_a_refusal_is_true(spirit):
    with pytest.raises(
        ValueError, match=r"'Sao Paulo' does not occur.*the nearest there is 'São Paulo', with 'ã'"
    ) as told:
        subject_of(spirit, "the mayor of São Paulo", "Sao Paulo")
    assert "both sides" not in str(told.value)
    assert type(told.value) is SubjectError, "it is not there at all"
    with pytest.raises(ValueError, match=r"subject=5 \(int\): expected a text"):
        subject_of(spirit, "the mayor", 5)


MERGED = [
    WordInterval("in", 0.1, 0.5),
    WordInterval("the", 0.1, 0.5),
    WordInterval("netherlands", 0.5, 1.1),
    WordInterval("is", 1.1, 1.4),
]


def test_a_subject_that_shares_an_interval_is_refused(spirit, units):
    with pytest.raises(
        SubjectTokensError, match=r"the subject 'the netherlands' shares one interval of the speech with \['in'\]"
    ):
        speech_prompt(spirit, units, MERGED, "the Netherlands", "the")


def test_a_subject_beside_a_shared_interval_is_found(spirit, units):
    prompt = speech_prompt(spirit, units, MERGED, "Netherlands", "the")
    assert prompt.subject.name == "netherlands"
    assert [span.name for span in prompt.word_spans()] == ["in the", "netherlands", "is"]


def test_a_subject_that_is_the_whole_shared_interval_is_found(spirit, units):
    prompt = speech_prompt(spirit, units, MERGED, "in the", "the")
    assert prompt.subject.name == "in the"
    assert len(prompt.subject) == 5


def test_a_subject_without_a_unit_is_refused(spirit):
    coarse = UnitStream.from_frames([4] * 12 + [5] * 13, rate=25.0).dedup()  # 0-0.48 s, 0.48-1 s
    words = [WordInterval("so", 0.3, 0.7), WordInterval("oslo", 0.7, 0.8)]
    assert len(speech_prompt(spirit, coarse, words, "so", "the", rule="overlap").subject) == 2
    with pytest.raises(SubjectTokensError, match="no unit of the speech falls on the subject 'so'"):
        speech_prompt(spirit, coarse, words, "so", "the")


WORD = st.text(st.sampled_from("abcdeRomeéß東9"), min_size=1, max_size=6)
BEFORE, AFTER = st.sampled_from(["", "“", "("]), st.sampled_from(["", ",", ")", "'s", "?!"])


@given(
    st.lists(st.tuples(BEFORE, WORD, AFTER), min_size=1, max_size=6),
    st.integers(0, 5),
    st.integers(1, 2),
    st.sampled_from(["user_defined", "added_tokens", "sims", "text"]),
)
def test_the_subject_s_tokens_spell_the_subject(vocabularies, sentence, first, size, name):
    first = min(first, len(sentence) - 1)
    last = min(first + size, len(sentence)) - 1
    for between in range(first, last):  # nothing stands between the words of a subject
        sentence[between] = (*sentence[between][:2], "")
        sentence[between + 1] = ("", *sentence[between + 1][1:])
    text = " ".join("".join(parts) for parts in sentence)
    subject = " ".join(word for _, word, _ in sentence[first : last + 1])
    prompt = text_prompt(vocabularies[name], text, subject, "the", occurrence=0)
    assert (
        vocabularies[name].decode([prompt.ids[at] for at in prompt.subject]).strip() == prompt.subject.name == subject
    )
    assert all(prompt.roles[position] == "subject" for position in prompt.subject)
