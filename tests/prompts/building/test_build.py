import numpy as np
import pytest
from prompt_making import mixed_prompt, speech_prompt, text_prompt

from spiritlens.prompts.building.segments import SpeechSegment, TextSegment
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.families import SPEECHGPT_META, SPIRITLM_BASE
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval

SPEAKING = (
    *("user_defined", "added_tokens", "padded", "embedded", "sims", "speechgpt", "spire"),
    *("sims-qwen", "ustm", "usdm", "ichigo", "anygpt", "speechgpt-com"),
)
TEXT = "The capital of New Zealand is"
HU = "".join(f"[Hu{unit}]" for unit in range(21))


def spoken(vocabulary: Vocabulary, units: UnitStream, words: list[WordInterval], **more) -> Prompt:
    return speech_prompt(vocabulary, units, words, "New Zealand", "Wellington", **more)


def at_rate_of(vocabulary: Vocabulary, units: UnitStream) -> UnitStream:
    """The same units over the same seconds in the family's number of frames per second."""
    frames = units.frames * int(vocabulary.family.unit_rate / units.rate)
    return UnitStream.from_frames(np.repeat(units.ids, frames), vocabulary.family.unit_rate)


def tokens_of(prompt: Prompt, role: str) -> list[str]:
    return [prompt.labels[position] for position in prompt.span(role)]


# ---- where markers stand -----------------------------------------------------------------------------------------


def test_a_written_prompt_has_its_marker_in_front(spirit):
    prompt = text_prompt(spirit, TEXT, "New Zealand", "Wellington")
    assert prompt.text == "[Text] The capital of New Zealand is"
    assert prompt.kind == "T2T"
    assert prompt.roles[-1] == "last word"
    assert tokens_of(prompt, "modality marker") == ["▁", "[Text]"]


def test_a_written_prompt_may_end_with_a_marker(spirit):
    prompt = text_prompt(spirit, TEXT, "New Zealand", "Wellington", marker="final")
    assert prompt.text == "[Text] The capital of New Zealand is[Text]"
    assert tokens_of(prompt, "final marker") == ["[Text]"]
    assert prompt.ids[:-1] == text_prompt(spirit, TEXT, "New Zealand", "Wellington").ids


def test_a_spoken_prompt_ends_with_the_text_marker(spirit, units, words):
    prompt = spoken(spirit, units, words)
    assert prompt.text == f"[Speech]{HU}[Text]"
    assert prompt.kind == "S2T"
    assert tokens_of(prompt, "final marker") == ["[Text]"]


def test_a_mixed_prompt_marks_each_change(spirit, units, words):
    heard = SpeechSegment(units[6:18], [WordInterval("New", 0.2, 0.4), WordInterval("Zealand", 0.4, 0.8)])
    prompt = mixed_prompt(
        spirit, [TextSegment("the capital of"), heard, TextSegment("is")], "New Zealand", "Wellington"
    )
    assert prompt.text == "[Text] the capital of[Speech][Hu3][Hu4][Hu5][Hu6][Hu7][Hu8][Text] is"
    assert prompt.kind == "mixed"
    assert tokens_of(prompt, "modality marker") == ["▁", "[Text]", "[Speech]", "[Text]"]
    assert prompt.roles[-1] == "last word"
    assert "final marker" not in prompt.roles


def test_a_mixed_prompt_that_ends_in_speech_ends_with_the_text_marker(spirit, units, words):
    heard = SpeechSegment(units, words)
    prompt = mixed_prompt(spirit, [TextSegment("write down"), heard], "New Zealand", "Wellington")
    assert prompt.text == f"[Text] write down[Speech]{HU}[Text]"


def test_segments_of_one_modality_are_joined_without_marker(spirit, units, words):
    texts = [TextSegment("the capital"), TextSegment(" of New Zealand"), TextSegment("is ")]
    prompt = mixed_prompt(spirit, texts, "New Zealand", "Wellington")
    assert prompt.text == "[Text] the capital of New Zealand is"
    twice = mixed_prompt(
        spirit, [SpeechSegment(units[:6], words[:1]), SpeechSegment(units, words)], "New Zealand", "Wellington"
    )
    assert twice.text == f"[Speech][Hu0][Hu1][Hu2]{HU}[Text]"
    assert twice.words == ("the", "the", "capital", "of", "new", "zealand", "is")


def test_sims_always_writes_its_text_marker(vocabularies, units, words):
    prompt = text_prompt(vocabularies["sims"], TEXT, "New Zealand", "Wellington")
    assert prompt.text == f"<text> {TEXT}<text>"
    assert tokens_of(prompt, "final marker") == ["<text>"]
    assert text_prompt(vocabularies["sims"], TEXT, "New Zealand", "Wellington", marker="final") == prompt
    assert (
        spoken(vocabularies["sims"], units, words).text == f"<speech>{HU.replace('[Hu', '<Un').replace(']', '>')}<text>"
    )


def test_speechgpt_puts_the_question_into_its_formula(vocabularies, units, words):
    vocabulary = vocabularies["speechgpt"]
    written = text_prompt(vocabulary, TEXT, "New Zealand", "Wellington")
    assert written.text == f"{SPEECHGPT_META}[Human]: {TEXT} <eoh>. [SpeechGPT]:"
    assert SPEECHGPT_META.startswith("You are an AI assistant whose name is SpeechGPT.\n- SpeechGPT is a intrinsic")
    assert SPEECHGPT_META.endswith(
        "developed by Fudan University.  SpeechGPT can understand and communicate fluently "
        "with human through speech or text chosen by the user.\n- It can perceive cross-modal inputs and generate "
        "cross-modal outputs.\n"
    )
    assert set(written.roles[1 : written.span("The").first]) == {"modality marker"}
    assert written.words == tuple(TEXT.split())
    assert written.roles[-1] == "final marker"
    heard = spoken(vocabulary, at_rate_of(vocabulary, units), words)
    assert (
        heard.text
        == f"{SPEECHGPT_META}[Human]: <sosp>"
        + "".join(f"<{unit}>" for unit in range(21))
        + "<eosp> <eoh>. [SpeechGPT]:"
    )
    assert tokens_of(heard, "subject") == ["<10>", "<11>", "<12>", "<13>", "<14>", "<15>"][:6]


def test_spire_writes_units_without_markers(vocabularies, units, words):
    vocabulary = vocabularies["spire"]
    prompt = spoken(vocabulary, at_rate_of(vocabulary, units), words)
    assert prompt.text == "Speech: " + "".join(chr(0xF0000 + unit) for unit in range(21)) + "\nEnglish:"
    assert tokens_of(prompt, "subject") == [f"<unit {unit}>" for unit in range(10, 16)]


def test_ustm_writes_one_marker_where_speech_and_text_go_on_with_one_another(vocabularies, units, words):
    vocabulary = vocabularies["ustm"]
    units = at_rate_of(vocabulary, units)
    written = text_prompt(vocabulary, TEXT, "New Zealand", "Wellington")
    assert written.text == TEXT, "a text that begins the prompt has no marker"
    string = "".join(f"<|unit{unit}|>" for unit in units.ids)
    assert len(units.ids) == 84, "every frame is a token: runs are not merged"
    heard = spoken(vocabulary, units, words)
    assert heard.text == f"{string}<|continue|>"
    assert tokens_of(heard, "final marker") == ["<|continue|>"]
    mixed = mixed_prompt(vocabulary, [TextSegment("In fact"), SpeechSegment(units, words), TextSegment("then")])
    assert mixed.text == f"In fact<|continue|>{string}<|continue|>then"
    for vocabulary_marker in ("<|continue|>", "<|correspond|>"):
        assert vocabulary.families_by_id[vocabulary.marker_id(vocabulary_marker)] == "marker"
    with pytest.raises(ValueError, match="family 'ustm' has none for the end of a prompt"):
        text_prompt(vocabulary, TEXT, "New Zealand", "Wellington", marker="final")
    with pytest.raises(ValueError, match="family 'ustm' has no text marker to set examples apart"):
        text_prompt(vocabulary, TEXT, "New Zealand", "x", examples=[(TextSegment("a b"), "c")])


@pytest.mark.filterwarnings("ignore:.*a transcript first")
def test_usdm_asks_in_its_template_in_lower_case(vocabularies, units, words):
    vocabulary = vocabularies["usdm"]
    heard = spoken(vocabulary, at_rate_of(vocabulary, units), words)
    assert heard.text.startswith("Below is a conversation between the user and the agent. Each turn includes ")
    assert heard.text.endswith("<|unit20|><|correspond|>")
    assert "corresponding speech.\n\n### User\n<|unit0|><|unit0|>" in heard.text
    assert tokens_of(heard, "final marker") == ["<|correspond|>"]
    written = text_prompt(vocabulary, TEXT, "New Zealand", "Wellington")
    assert written.text.endswith(f"\n\n### User\n{TEXT.lower()}\n### Agent\n")
    assert written.text.startswith("Below"), "the template is not in lower case"
    assert [vocabulary.piece(index) for index in vocabulary.answer_ids("Paris")] == ["par", "is"], "after a new line"


def test_ichigo_asks_in_llama_3_s_chat_template(vocabularies, units, words):
    vocabulary = vocabularies["ichigo"]
    head, tail = (f"<|start_header_id|>{who}<|end_header_id|>\n\n" for who in ("user", "assistant"))
    written = text_prompt(vocabulary, TEXT, "New Zealand", "Paris")
    assert written.text == f"{head}{TEXT}<|eot_id|>{tail}"
    assert written.labels[:2] == ("<|begin_of_text|>", "<|start_header_id|>")
    assert (written.families[1], written.modalities[1], written.roles[1]) == ("marker", "none", "modality marker")
    heard = spoken(vocabulary, units, words)
    string = "".join(f"<|sound_{unit:04d}|>" for unit in units.ids)
    assert heard.text == f"{head}<|sound_start|>{string}<|sound_end|><|eot_id|>{tail}"
    assert tokens_of(heard, "final marker")[:3] == ["<|sound_end|>", "<|eot_id|>", "<|start_header_id|>"]
    assert len(heard.subject) == 12, "runs are not merged"
    first = vocabulary.answer_ids("Paris")[0]
    assert not vocabulary.piece(first).startswith("Ġ"), "an answer begins a line"
    with pytest.raises(ValueError, match=r"contains \['<\|eot_id\|>'\], which are no text"):
        text_prompt(vocabulary, "the capital<|eot_id|> is", "capital", "Paris")


@pytest.mark.filterwarnings("ignore:.*a transcript first")
def test_anygpt_s_turns_are_tokens_and_images_are_no_answers(vocabularies, units, words):
    vocabulary = vocabularies["anygpt"]
    units = at_rate_of(vocabulary, units)
    heard = spoken(vocabulary, units, words)
    string = "".join(f"<🗣️{unit}>" for unit in units.ids)
    assert heard.text == f"[Human]: <sosp>{string}<eosp><eoh> [MMGPT]:"
    assert [label for label in heard.labels if label.startswith("[")] == ["[Human]", "[MMGPT]"]
    assert heard.families[heard.labels.index("[MMGPT]")] == "marker"
    for token in ("[Human]", "<eoh>", "<👀7>", "<soim>", "<🎶29>", "<eomu>"):
        assert vocabulary.tokenizer.convert_tokens_to_ids(token) not in vocabulary.text_ids, token
    assert len(vocabulary.text_ids) == len(vocabularies["text"].text_ids)
    with pytest.raises(ValueError, match="unknown to the vocabulary"):
        vocabulary.answer_ids("<👀7>")


def test_sims_on_qwen_begins_with_its_marker(vocabularies, units, words):
    vocabulary = vocabularies["sims-qwen"]
    prompt = text_prompt(vocabulary, TEXT, "New Zealand", "Wellington")
    assert vocabulary.bos_id is None
    assert prompt.labels[0] == "<text>"
    assert prompt.roles[0] == "modality marker"
    assert spoken(vocabulary, units, words).text.endswith("<Un20><text>")
    tokens = vocabulary.tokenizer.get_vocab()
    assert tokens["<Un0>"] == tokens["<|file_sep|>"] + 1
    assert tokens["<text>"] == tokens["<speech>"] + 1 == tokens["<Un499>"] + 2 == vocabulary.size - 1
    assert vocabulary.families_by_id[tokens["<tool_call>"]] == "special"
    composed = text_prompt(vocabulary, "the cafe\u0301 of New Zealand is", "New Zealand", "Wellington")
    assert composed.words[1] == "cafe\u0301"
    assert composed.subject.name == "New Zealand"


def test_a_text_only_model_reads_plain_text(vocabularies):
    prompt = text_prompt(vocabularies["text"], TEXT, "New Zealand", "Wellington")
    assert prompt.text == TEXT
    assert "modality marker" not in prompt.roles


# ---- the official string gives the ids ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPEAKING)
def test_tokenizing_the_official_string_gives_the_ids(vocabularies, units, words, name):
    vocabulary = vocabularies[name]
    units = at_rate_of(vocabulary, units)
    heard = SpeechSegment(units, words)
    final = "final" if vocabulary.family.text_open and vocabulary.family.marker_policy != "between" else "none"
    prompts = [
        text_prompt(vocabulary, TEXT, "New Zealand", "Wellington"),
        text_prompt(vocabulary, f"“{TEXT}”, 1984?", "New Zealand", "Wellington", marker=final),
        spoken(vocabulary, units, words),
        mixed_prompt(vocabulary, [heard, TextSegment(TEXT), heard], "new zealand", "Wellington", occurrence=1),
    ]
    for prompt in prompts:
        assert vocabulary.encode(prompt.text) == list(prompt.ids)
        assert vocabulary.tokenizer(prompt.text).input_ids == list(prompt.ids)
        assert vocabulary.decode(prompt.ids) == prompt.text
        assert list(prompt.ids).count(vocabulary.bos_id) == (vocabulary.bos_id is not None)


# ---- words, times, roles -----------------------------------------------------------------------------------------


def test_every_token_of_a_written_prompt_has_its_word(embedded):
    prompt = text_prompt(embedded, "In fact, the capital of New Zealand is", "New Zealand", "Wellington")
    spelled = [prompt.words[index] if index >= 0 else "" for index in prompt.word_index]
    assert prompt.words == ("in", "fact", "the", "capital", "of", "new", "zealand", "is")
    assert list(zip(prompt.labels, spelled, strict=True)) == [
        ("<s>", ""),
        ("[Text]", ""),
        ("▁in", "in"),
        ("▁f", "fact"),
        ("act", "fact"),
        (",", ""),
        ("▁the", "the"),
        ("▁ca", "capital"),
        ("p", "capital"),
        ("it", "capital"),
        ("al", "capital"),
        ("▁of", "of"),
        ("▁new", "new"),
        ("▁", "zealand"),
        ("z", "zealand"),
        ("e", "zealand"),
        ("al", "zealand"),
        ("and", "zealand"),
        ("▁is", "is"),
    ]
    assert prompt.roles == (
        "bos", "modality marker", *["before subject"] * 10, *["subject"] * 6, "last word"
    )  # fmt: skip
    assert prompt.parts == (*["none"] * 12, "first", *["middle"] * 4, "last", "none")
    assert np.isnan(prompt.starts).all()
    assert np.isnan(prompt.ends).all()


def test_every_unit_has_its_word_and_its_seconds(spirit, units, words):
    prompt = spoken(spirit, units, words)
    assert prompt.labels[:4] == ("<s>", "▁", "[Speech]", "[Hu0]")
    assert prompt.word_index == (-1, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, -1, -1, -1)
    assert prompt.starts[3:24] == pytest.approx(np.arange(21) * 0.08)
    assert prompt.ends[3:24] == pytest.approx(np.arange(1, 22) * 0.08)
    assert np.isnan([prompt.starts[position] for position in (0, 1, 2, 24)]).all()
    assert prompt.span("subject").positions == (13, 14, 15, 16, 17, 18)
    assert prompt.subject.name == "new zealand"
    assert prompt.parts[13:19] == ("first", "middle", "middle", "middle", "middle", "last")
    assert prompt.roles[22:] == ("after subject", "after subject", "final marker")
    assert prompt.modalities[2:4] == ("none", "speech")
    assert prompt.families[:4] == ("bos", "text", "marker", "unit")


def test_times_of_a_mixed_prompt_are_those_of_each_segment(spirit, units, words):
    heard = SpeechSegment(units, words)
    prompt = mixed_prompt(spirit, [heard, TextSegment("and"), heard], "new zealand", "Wellington", occurrence=1)
    speech = [position for position, modality in enumerate(prompt.modalities) if modality == "speech"]
    assert [prompt.starts[position] for position in speech] == pytest.approx(list(np.arange(21) * 0.08) * 2)
    assert prompt.subject.first > speech[21]


def test_runs_of_units_become_one_token_with_the_whole_run_s_time(spirit, words):
    frames = UnitStream.from_frames([7] * 20 + [9] * 21 + [7], rate=25.0)
    prompt = spoken(spirit, frames, words)
    assert prompt.text == "[Speech][Hu7][Hu9][Hu7][Text]"
    assert (prompt.starts[3], prompt.ends[3]) == (0.0, 0.8)


def test_a_family_without_deduplication_keeps_every_frame(words):
    vocabulary = Vocabulary.load(
        "tests/data/prompts/tokenizer_small/user_defined", SPIRITLM_BASE.replace(deduplicate=False)
    )
    frames = UnitStream.from_frames([7] * 20 + [9] * 22, rate=25.0)
    assert spoken(vocabulary, frames, words).text.count("[Hu7]") == 20
    assert spoken(vocabulary, frames.dedup(), words) == spoken(vocabulary, frames, words)


def test_the_alignment_rule_and_slack_are_used(spirit, units, words):
    shifted = [WordInterval(word.word, word.start + 0.05, word.end + 0.05) for word in words]
    by_centre = spoken(spirit, units, shifted)
    by_start = spoken(spirit, units, shifted, rule="start")
    assert by_centre.subject.positions != by_start.subject.positions
    alone = [WordInterval("new", 0.8, 1.0), WordInterval("zealand", 1.0, 1.2)]
    assert len(spoken(spirit, units, alone, slack_units=1).subject) == len(spoken(spirit, units, alone).subject) + 2


def test_a_pause_inside_the_subject_belongs_to_it(spirit, units):
    words = [WordInterval("new", 0.16, 0.4), WordInterval("zealand", 0.8, 1.0), WordInterval("is", 1.0, 1.2)]
    prompt = spoken(spirit, units, words)
    assert prompt.subject.positions == tuple(range(5, 15))
    assert -1 in [prompt.word_index[position] for position in prompt.subject]


# ---- answers, foils and what else is carried ---------------------------------------------------------------------


def test_answer_and_foil_are_ids_of_one_or_several_pieces(embedded):
    prompt = text_prompt(embedded, TEXT, "New Zealand", "the", foil="Paris")
    assert prompt.answer_ids == (266,)
    assert [embedded.label(index) for index in prompt.foil_ids] == ["▁par", "is"]
    assert (prompt.answer, prompt.foil) == ("the", "Paris")


def test_a_prompt_carries_where_it_comes_from(spirit, units, words):
    about = {
        "fact_id": "nz-capital",
        "relation": "capital",
        "phrasing": "plain",
        "voice": "espeak:en-us",
        "group": "both",
    }
    sound = Waveform(np.full(26_880, 0.1, dtype=np.float32), 16_000, source="nz.wav")
    prompt = spoken(spirit, units, words, waveform=sound, **about)
    assert {name: getattr(prompt, name) for name in about} == about
    assert prompt.audio == "nz.wav"
    assert prompt.waveform is sound


def test_the_same_prompt_has_the_same_id_and_another_another(spirit, units, words):
    one, again = (text_prompt(spirit, TEXT, "New Zealand", "Wellington") for _ in range(2))
    others = [
        text_prompt(spirit, TEXT, "capital", "Wellington"),
        text_prompt(spirit, TEXT, "New Zealand", "Auckland"),
        text_prompt(spirit, TEXT, "New Zealand", "Wellington", foil="Auckland"),
        text_prompt(spirit, TEXT, "New Zealand", "Wellington", marker="final"),
        spoken(spirit, units, words),
    ]
    assert one == again
    assert hash(one) == hash(again)
    assert len({one, again, *others}) == 6
    named = text_prompt(spirit, TEXT, "New Zealand", "Wellington", fact_id="another name, the same content")
    assert named.id == one.id


def test_a_text_may_have_pieces_that_training_never_touched(embedded):
    prompt = text_prompt(embedded, "the capital of Zürich is", "Zürich", "the")
    assert [prompt.families[position] for position in prompt.subject] == ["text"] * len(prompt.subject)
    assert "<0xC3>" in prompt.labels


# ---- few-shot ----------------------------------------------------------------------------------------------------


def test_solved_examples_stand_before_the_prompt_one_per_line(spirit):
    examples = [(TextSegment("The capital of France is"), "Paris"), (TextSegment("The capital of Italy is"), "Rome")]
    prompt = text_prompt(spirit, "The capital of Spain is", "Spain", "Madrid", examples=examples)
    assert prompt.text == (
        "[Text] The capital of France is[Text] Paris\n[Text] The capital of Italy is[Text] Rome\n"
        "[Text] The capital of Spain is[Text]"
    )
    assert spirit.encode(prompt.text) == list(prompt.ids)
    assert prompt.roles.count("final marker") == 1
    assert prompt.kind == "T2T"


def test_spoken_examples(spirit, units, words):
    prompt = spoken(spirit, units, words, examples=[(SpeechSegment(units, words), "Paris")])
    assert prompt.text == f"[Speech]{HU}[Text] Paris\n[Speech]{HU}[Text]"
    assert prompt.kind == "S2T"
    assert prompt.subject.first > prompt.labels.index("[Text]")


def test_the_subject_is_sought_in_the_question_not_in_the_examples(spirit):
    examples = [(TextSegment("The currency of Spain is"), "euro")]
    prompt = text_prompt(spirit, "The capital of Spain is", "Spain", "Madrid", examples=examples)
    assert prompt.subject.first > prompt.ids.index(spirit.text_marker_id, 3)
    with pytest.raises(ValueError, match="'currency' does not occur in the words 'The capital of Spain is'"):
        text_prompt(spirit, "The capital of Spain is", "currency", "Madrid", examples=examples)


def test_examples_need_a_text_marker(vocabularies):
    with pytest.raises(ValueError, match="family 'text-only' has no text marker to set examples apart"):
        text_prompt(vocabularies["text"], TEXT, "New Zealand", "x", examples=[(TextSegment("a b"), "c")])


# ---- bad input ---------------------------------------------------------------------------------------------------


def test_empty_text():
    with pytest.raises(ValueError, match="the text is empty"):
        TextSegment(" ")


def test_no_segments(spirit):
    with pytest.raises(ValueError, match="segments is empty: give at least one TextSegment or SpeechSegment"):
        mixed_prompt(spirit, [], "a", "b")


def test_an_unknown_modality(spirit):
    with pytest.raises(ValueError, match=r"segments\[0\] is 'the capital' \(str\): expected a TextSegment or"):
        mixed_prompt(spirit, ["the capital"], "capital", "b")


def test_speech_without_units(words):
    with pytest.raises(ValueError, match="the speech has no units"):
        SpeechSegment(UnitStream.from_frames([]), words)


def test_speech_without_words(spirit, units):
    """As units from elsewhere may be: no token has a word, and a subject cannot be found."""
    prompt = mixed_prompt(spirit, [SpeechSegment(units, [])])
    assert (prompt.words, set(prompt.word_index), prompt.text) == ((), {-1}, f"[Speech]{HU}[Text]")
    with pytest.raises(ValueError, match="the subject 'new' does not occur in the words ''"):
        mixed_prompt(spirit, [SpeechSegment(units, [])], "new")


def test_word_times_beyond_the_audio(units):
    with pytest.raises(ValueError, match=r"ends at 900\.000 s, but the audio lasts"):
        SpeechSegment(units, [WordInterval("the", 0, 300), WordInterval("capital", 300, 900)])


def test_speech_for_a_text_only_model(vocabularies, units, words):
    with pytest.raises(ValueError, match="family 'text-only' reads no speech"):
        spoken(vocabularies["text"], units, words)


def test_a_unit_that_the_family_lacks(embedded, words):
    with pytest.raises(ValueError, match="unit 90 is not one of the 90 of family 'embedded'"):
        spoken(embedded, UnitStream.from_frames(np.arange(50, 92)), words)


def test_an_unknown_marker_choice(spirit):
    with pytest.raises(ValueError, match="marker='always': expected one of none, final"):
        text_prompt(spirit, TEXT, "New Zealand", "Wellington", marker="always")


def test_a_final_marker_where_the_family_has_none(vocabularies):
    with pytest.raises(ValueError, match="family 'speechgpt' has none for the end of a prompt"):
        text_prompt(vocabularies["speechgpt"], TEXT, "New Zealand", "Wellington", marker="final")


def test_an_empty_answer(spirit):
    with pytest.raises(ValueError, match="the answer is empty"):
        text_prompt(spirit, TEXT, "New Zealand", "")


def test_an_unknown_answer(spirit):
    with pytest.raises(ValueError, match="the answer 'Wellington</s>' is unknown to the vocabulary"):
        text_prompt(spirit, TEXT, "New Zealand", "Wellington</s>")


def test_a_foil_that_is_the_answer(embedded):
    with pytest.raises(ValueError, match="the foil 'PARIS' has the same tokens as the answer 'Paris'"):
        text_prompt(embedded, TEXT, "New Zealand", "Paris", foil="PARIS")


@pytest.mark.parametrize("text", ["the [Hu3] capital", "the capital[Text]", "<s>the capital"])
def test_markers_and_units_inside_a_text(spirit, text):
    with pytest.raises(ValueError, match=r"which are no text; give speech as a SpeechSegment"):
        text_prompt(spirit, text, "capital", "Wellington")
