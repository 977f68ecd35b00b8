import json
import shutil

import numpy as np
import pytest
import sentencepiece
from family_folders import llama_folder, spire_folder, spirit_strings
from hypothesis import given
from hypothesis import strategies as st
from prompt_making import text_prompt
from tokenizer_folders import SMALL
from transformers import LlamaTokenizer

from spiritlens.prompts.vocabulary.families import SPIRITLM_BASE, SPIRITLM_EXPRESSIVE, TEXT_ONLY
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary

SLOW = json.loads((SMALL / "expected_slow_ids.json").read_text())
LAYOUTS = ("user_defined", "added_tokens")
NEWER = ("sims-qwen", "ustm", "usdm", "ichigo", "anygpt", "speechgpt-com")
ALL = (*LAYOUTS, "padded", "expressive", "embedded", "sims", "speechgpt", "spire", "text", *NEWER)


# ---- the slow tokenizer's ids ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layout", "string"), [(layout, string) for layout in LAYOUTS for string in SLOW[layout]])
def test_official_strings_give_the_slow_tokenizer_s_ids(vocabularies, layout, string):
    vocabulary = vocabularies[layout]
    assert vocabulary.encode(string) == SLOW[layout][string]
    assert vocabulary.tokenizer(string).input_ids == SLOW[layout][string]
    assert vocabulary.decode(SLOW[layout][string]) == string


def test_the_spacing_is_detected_from_the_layout(vocabularies):
    spacings = {name: vocabulary.spacing for name, vocabulary in vocabularies.items()}
    assert spacings == {
        "user_defined": "whole",
        "added_tokens": "chunks",
        "padded": "chunks",
        "expressive": "chunks",
        "embedded": "first",
        "sims": "saved",
        "speechgpt": "chunks",
        "spire": "whole",
        "text": "chunks",
        "sims-qwen": "saved",
        "ustm": "chunks",
        "usdm": "chunks",
        "ichigo": "saved",
        "anygpt": "chunks",
        "speechgpt-com": "chunks",
    }


def test_added_tokens_without_legacy_are_spaced_as_a_whole(tmp_path):
    """What transformers 4.46's slow tokenizer gave for added tokens with ``legacy=False``."""
    vocabulary = Vocabulary.load(llama_folder(tmp_path, spirit_strings(8), legacy=False))
    expected = {
        "[Text] the": [1, 1912, 2000, 266],
        "[Text]the": [1, 1912, 2000, 393, 1913],
        "[Speech][Hu1]": [1, 1912, 2001, 2003],
        "[Speech] [Hu1]": [1, 1912, 2001, 1912, 2003],
        "the cat[Speech][Hu3]": [1, 266, 1653, 2001, 2005],
    }
    assert {string: vocabulary.encode(string) for string in expected} == expected


def test_tokenizer_model_alone_is_enough(tmp_path):
    """Without a config transformers' AutoTokenizer writes neither a beginning of sequence nor a first blank."""
    shutil.copy(SMALL / "user_defined" / "tokenizer.model", tmp_path)
    vocabulary = Vocabulary.load(tmp_path)
    assert [vocabulary.encode(string) for string in SLOW["user_defined"]] == list(SLOW["user_defined"].values())
    assert vocabulary.size == 2503


def test_the_family_may_settle_the_space_after_bos():
    folder = SMALL / "added_tokens"
    never = Vocabulary.load(folder, SPIRITLM_BASE.replace(space_after_bos="none"))
    always = Vocabulary.load(folder, SPIRITLM_BASE.replace(space_after_bos="piece"))
    assert never.encode("[Text] the cat") == [1, 2000, 266, 1653]
    assert always.encode("[Text] the cat") == [1, 1912, 2000, 266, 1653]
    assert never.encode("the cat[Speech][Hu3]") == always.encode("the cat[Speech][Hu3]") == [1, 266, 1653, 2001, 2005]


ALPHABET = st.text(st.sampled_from("the cat'sÉ9東 "), max_size=20)


@given(ALPHABET)
def test_whole_strings_are_spaced_as_sentencepiece_does(spirit, text):
    raw = sentencepiece.SentencePieceProcessor(str(SMALL / "user_defined" / "tokenizer.model"))
    for string in (text, f"[Text]{text}", f"[Speech][Hu4][Text] {text}[Speech][Hu1]"):
        assert spirit.encode(string) == [1, *raw.encode(string)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_saved_by_transformers_gives_the_same_ids(layout, tmp_path):
    """transformers 5 saves a tokenizer.json and a config without `legacy` or added tokens."""
    LlamaTokenizer.from_pretrained(SMALL / layout).save_pretrained(tmp_path)
    shutil.copy(SMALL / layout / "tokenizer.model", tmp_path)
    again = Vocabulary.load(tmp_path)
    assert [again.encode(string) for string in SLOW[layout]] == list(SLOW[layout].values())


# ---- round trips -------------------------------------------------------------------------------------------------


@given(st.sampled_from(LAYOUTS), st.lists(st.integers(0, 500), min_size=1, max_size=40))
def test_decode_undoes_encode_on_unit_strings(vocabularies, layout, units):
    vocabulary = vocabularies[layout]
    for string in (
        "".join(f"[Hu{unit}]" for unit in units),
        "".join(f"[Hu{unit}]" for unit in units).join(["[Speech]", "[Text]"]),
    ):
        ids = vocabulary.encode(string)
        assert vocabulary.decode(ids) == string
        assert [index for index in ids if index in vocabulary.unit_ids] == [2002 + unit for unit in units]


SEGMENTS = st.lists(st.one_of(ALPHABET, st.sampled_from(["[Text]", "[Speech]", "[Hu7]", "[Hu500]"])), max_size=6)


@given(st.sampled_from(LAYOUTS), SEGMENTS)
def test_decode_undoes_encode_on_any_string(vocabularies, layout, segments):
    string = "".join(segments)
    assert vocabularies[layout].decode(vocabularies[layout].encode(string)) == string


@pytest.mark.parametrize("name", ALL)
def test_every_unit_and_marker_is_one_token_both_ways(vocabularies, name):
    vocabulary = vocabularies[name]
    for stream in vocabulary.family.all_streams():
        string = "".join(stream.units())
        ids = [index for index in vocabulary.encode(string) if index in vocabulary.stream_ids(stream.name)]
        assert ids == list(vocabulary.stream_ids(stream.name))
        assert vocabulary.decode(vocabulary.encode(string)) == string
    for marker in vocabulary.family.markers:
        assert vocabulary.encode(marker)[-1] == vocabulary.marker_id(marker)


# ---- ids ---------------------------------------------------------------------------------------------------------


def test_ids_of_spiritlm(vocabularies):
    vocabulary = vocabularies["padded"]
    assert (vocabulary.bos_id, vocabulary.eos_id) == (1, 2)
    assert (vocabulary.text_marker_id, vocabulary.speech_marker_id) == (2000, 2001)
    assert vocabulary.unit_ids == range(2002, 2503)
    assert vocabulary.unit_id(12) == 2014
    assert vocabulary.size == 2512
    families = vocabulary.family_of_ids([0, 1, 2, 266, 2000, 2001, 2002, 2502, 2503, 2511])
    assert families.tolist() == [
        "special",
        "bos",
        "special",
        "text",
        "marker",
        "marker",
        "unit",
        "unit",
        "padding",
        "padding",
    ]


def test_answers_are_text_only_and_padding_is_untrained(vocabularies):
    vocabulary = vocabularies["padded"]
    assert vocabulary.text_ids.tolist() == list(range(3, 2000))
    assert vocabulary.trained_ids.tolist() == list(range(2503))


def test_the_layouts_differ_in_nothing_but_the_spacing(vocabularies):
    one, other = (vocabularies[layout] for layout in LAYOUTS)
    assert one.families_by_id.tolist() == other.families_by_id.tolist()
    assert one.unit_ids == other.unit_ids


def test_expressive_streams_have_ids_of_their_own(vocabularies):
    vocabulary = vocabularies["expressive"]
    assert vocabulary.stream_ids("pitch") == range(2503, 2567)
    assert vocabulary.stream_ids("style") == range(2567, 2667)
    assert vocabulary.family_of_ids([2503, 2567, 2667]).tolist() == ["pitch", "style", "padding"]
    assert vocabulary.text_ids.max() == 1999


def test_the_embedded_family_comes_from_its_record(embedded):
    assert (embedded.family.name, embedded.family.n_units) == ("embedded", 90)
    assert embedded.family.encoder == {"kind": "hubert", "layer": 3}
    assert embedded.encode("[Text] the cat") == [1, 2000, 266, 1653]


def test_pieces_that_training_never_touched_are_no_answers(embedded):
    assert embedded.text_ids.tolist() == list(range(259, 2000))
    assert embedded.trained_ids.tolist() == [0, 1, 2, *range(259, 2092)]
    with pytest.raises(
        ValueError, match=r"the answer 'Zürich' is unknown to the vocabulary: it gives \['<0xC3>', '<0xBC>'\]"
    ):
        embedded.answer_ids("Zürich")


def test_sims_has_its_markers_after_its_units(vocabularies):
    vocabulary = vocabularies["sims"]
    assert vocabulary.family.name == "sims-llama"
    assert vocabulary.marker_ids == (vocabulary.unit_ids[-1] + 2, vocabulary.unit_ids[-1] + 1)
    assert vocabulary.bos_id == 0


def test_speechgpt_and_spire(vocabularies):
    assert vocabularies["speechgpt"].unit_ids == range(2000, 3000)
    assert vocabularies["speechgpt"].marker_ids == (3000, 3001)
    assert vocabularies["speechgpt"].text_marker_id is None
    assert vocabularies["spire"].unit_ids == range(2005, 2055)
    assert vocabularies["spire"].label(2007) == "<unit 2>"


def test_a_text_only_folder_has_no_units(vocabularies):
    vocabulary = vocabularies["text"]
    assert vocabulary.family.name == "text-only"
    assert len(vocabulary.unit_ids) == 0
    assert vocabulary.text_marker_id is None
    assert vocabulary.speech_marker_id is None


def test_a_tokenizer_that_writes_no_bos_has_none(spirit):
    tokenizer = Vocabulary.load(SMALL / "user_defined").tokenizer
    tokenizer.add_bos_token = False
    without = Vocabulary(tokenizer, spirit.family, spirit.size, "whole")
    assert without.bos_id is None
    assert without.encode("[Text] the") == [1912, 2000, 266]


def test_encode_text_follows_a_text_marker(vocabularies):
    assert vocabularies["user_defined"].encode_text("the cat") == [266, 1653]
    assert vocabularies["user_defined"].encode_text("the cat", space=False) == [393, 1913, 1653]
    assert vocabularies["added_tokens"].encode_text("the cat") == [1912, 266, 1653]
    assert vocabularies["added_tokens"].encode_text("the cat", space=False) == [266, 1653]
    assert vocabularies["embedded"].encode_text("The cat") == [266, 1653]


def test_pieces_know_their_characters(spirit):
    assert spirit.pieces(" the cat", "[Text]") == [(266, 0, 4), (1653, 4, 8)]
    assert spirit.pieces("the cat") == [(266, 0, 3), (1653, 3, 7)]
    assert [(start, end) for _, start, end in spirit.pieces("東a")][-1] == (1, 2)


@pytest.mark.parametrize(
    "left",
    [{"padding": "max_length", "max_length": 16}, {"truncation": True, "max_length": 2}],
    ids=["padding", "truncation"],
)
def test_padding_and_truncation_left_on_the_tokenizer_reach_no_prompt(spirit, left):
    """A call with padding= or truncation= leaves them in the tokenizer that the model and the vocabulary share."""
    vocabulary = Vocabulary.load(SMALL / "user_defined")
    vocabulary.tokenizer("the cat is", **left)
    assert vocabulary.pieces(" the cat is", "[Text]") == spirit.pieces(" the cat is", "[Text]")
    vocabulary.tokenizer("the cat is", **left)
    prompt = text_prompt(vocabulary, "the cat of Rome is", "Rome", "Paris")
    assert prompt.ids == text_prompt(spirit, "the cat of Rome is", "Rome", "Paris").ids
    vocabulary.tokenizer("the cat is", **left)
    assert vocabulary.answer_ids("Paris") == spirit.answer_ids("Paris")


# ---- answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_answer_is_its_blank_form_in_every_spacing(vocabularies, name):
    vocabulary = vocabularies[name]
    assert vocabulary.answer_ids("the") == (266,)
    assert vocabulary.answer_ids(" the ") == (266,)
    assert [vocabulary.label(index) for index in vocabulary.answer_ids("Paris")] == ["▁P", "ar", "is"]


def test_an_answer_is_cased_as_the_family_says(embedded, spirit):
    assert [embedded.label(index) for index in embedded.answer_ids("Paris")] == ["▁par", "is"]
    assert spirit.answer_ids("Paris") != spirit.answer_ids("paris")


def test_an_answer_of_a_byte_level_tokenizer_carries_its_blank(vocabularies):
    vocabulary = vocabularies["sims"]
    assert vocabulary.decode(vocabulary.answer_ids("the")) == " the"


def test_an_answer_may_be_units(spirit):
    assert spirit.answer_ids("[Hu3][Hu5]") == (2005, 2007)


@pytest.mark.parametrize("answer", ["", "  "])
def test_an_empty_answer_is_refused(spirit, answer):
    with pytest.raises(ValueError, match="answer is empty"):
        spirit.answer_ids(answer)


@pytest.mark.parametrize("answer", ["Paris[Hu3]", "[Text]", "Paris</s>"])
def test_an_answer_of_text_and_other_tokens_is_refused(spirit, answer):
    with pytest.raises(ValueError, match="is unknown to the vocabulary: it gives"):
        spirit.answer_ids(answer)


def test_an_answer_with_characters_that_no_piece_has_is_refused(tmp_path):
    from sentencepiece import sentencepiece_model_pb2

    folder = llama_folder(tmp_path / "no_bytes", spirit_strings(8))
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((folder / "tokenizer.model").read_bytes())
    for piece in model.pieces:
        if piece.type == piece.BYTE:
            piece.type, piece.piece = piece.NORMAL, piece.piece.replace("0x", "no")
    model.trainer_spec.byte_fallback = False
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    vocabulary = Vocabulary.load(folder)
    with pytest.raises(ValueError, match=r"answer '東' is unknown to the vocabulary: it gives \['<unk>'\]"):
        vocabulary.answer_ids("東")


# ---- bad folders -------------------------------------------------------------------------------------------------


def test_a_missing_folder(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        Vocabulary.load(tmp_path / "nowhere")


def test_a_file_for_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="is a file; give the checkpoint's folder"):
        Vocabulary.load(tmp_path / "file")


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match=r"neither tokenizer\.model nor tokenizer\.json"):
        Vocabulary.load(tmp_path)


def test_a_corrupt_tokenizer(tmp_path):
    folder = llama_folder(tmp_path / "corrupt", [])
    (folder / "tokenizer.model").write_bytes(b"no model at all")
    with pytest.raises(ValueError, match="cannot be read"):
        Vocabulary.load(folder)


def test_an_unknown_family_in_the_record(tmp_path):
    folder = llama_folder(tmp_path / "record", spirit_strings(8))
    (folder / "spiritlens.json").write_text('{"family": "unheard-of"}')
    with pytest.raises(ValueError, match="unknown family 'unheard-of'"):
        Vocabulary.load(folder)


def test_a_speech_text_checkpoint_whose_tokenizer_lacks_the_units(tmp_path):
    folder = llama_folder(tmp_path / "text_tokenizer", [], rows=32512)
    with pytest.raises(
        ValueError, match=r"has the 32512 embedding rows of spiritlm-base, but its tokenizer has 2000 tokens"
    ):
        Vocabulary.load(folder)
    assert Vocabulary.load(folder, TEXT_ONLY).size == 32512


def test_a_tokenizer_with_markers_and_no_units(tmp_path):
    with pytest.raises(ValueError, match=r"has \['\[Text\]', '\[Speech\]'\] of family"):
        Vocabulary.load(llama_folder(tmp_path / "markers", ["[Text]", "[Speech]"]))


# ---- checks against the record -----------------------------------------------------------------------------------


def test_a_tokenizer_without_the_units(tmp_path):
    folder = llama_folder(tmp_path / "few", spirit_strings(10))
    with pytest.raises(ValueError, match=r"501 unit tokens, of which the tokenizer lacks 491, first '\[Hu10\]'"):
        Vocabulary.load(folder, SPIRITLM_BASE)


def test_a_tokenizer_without_the_markers(tmp_path):
    folder = llama_folder(tmp_path / "none", [])
    with pytest.raises(ValueError, match=r"marker '\[Text\]'.*is not one token: the tokenizer splits it into"):
        Vocabulary.load(folder, SPIRITLM_BASE)


def test_units_that_fall_apart_into_pieces(tmp_path):
    """Units as ordinary pieces that no merge reaches: in the vocabulary, yet never formed."""
    from sentencepiece import sentencepiece_model_pb2

    folder = llama_folder(tmp_path / "apart", [], rows=2503)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((SMALL / "user_defined" / "tokenizer.model").read_bytes())
    for piece in model.pieces[2002:]:
        piece.type = piece.NORMAL
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"unit '\[Hu0\]' of family 'spiritlm-base' is not one token"):
        Vocabulary.load(folder, SPIRITLM_BASE)


def test_a_unit_that_is_missing_in_the_middle(tmp_path):
    strings = [string for string in spirit_strings() if string != "[Hu44]"]
    with pytest.raises(ValueError, match=r"501 unit tokens, of which the tokenizer lacks 1, first '\[Hu44\]'"):
        Vocabulary.load(llama_folder(tmp_path / "missing", strings))


def test_ids_with_a_gap(tmp_path):
    strings = spirit_strings(8)
    strings.insert(5, "[Between]")
    with pytest.raises(ValueError, match=r"unit ids .* are not contiguous: '\[Hu3\]' has id 2006, expected 2005"):
        Vocabulary.load(llama_folder(tmp_path / "gap", strings))


def test_a_first_unit_elsewhere_than_the_record_says(tmp_path):
    family = SPIRITLM_BASE.replace(n_units=8, first_unit_id=32002)
    with pytest.raises(ValueError, match=r"'\[Hu0\]' has id 2002; family 'spiritlm-base' expects 32002"):
        Vocabulary.load(llama_folder(tmp_path / "first", spirit_strings(8)), family)


def test_an_embedding_smaller_than_the_tokenizer(tmp_path):
    with pytest.raises(ValueError, match=r"ids reach 2009 \('\[Hu7\]'\) but the embedding has 2005 rows"):
        Vocabulary.load(llama_folder(tmp_path / "small", spirit_strings(8)), size=2005)


def test_an_embedding_smaller_than_the_tokenizer_whose_units_have_no_shape(tmp_path):
    with pytest.raises(ValueError, match=r"ids reach 2012 \('\\U000f0007'\) but the embedding has 2005 rows"):
        Vocabulary.load(spire_folder(tmp_path / "spire", n_units=8), size=2005)


def test_a_base_tokenizer_given_as_expressive():
    with pytest.raises(ValueError, match=r"100 style tokens, of which the tokenizer lacks 100, first '\[St0\]'"):
        Vocabulary.load(SMALL / "user_defined", SPIRITLM_EXPRESSIVE)


def test_a_unit_outside_of_the_family(spirit):
    for unit in (-1, 501):
        with pytest.raises(
            ValueError, match=rf"unit {unit} is not one of the 501 of family 'spiritlm-base' \(0 to 500\)"
        ):
            spirit.unit_id(unit)


def test_an_unknown_marker(spirit):
    with pytest.raises(ValueError, match=r"'<text>' is no marker"):
        spirit.marker_id("<text>")


def test_families_by_id_has_one_entry_per_row(vocabularies):
    for vocabulary in vocabularies.values():
        assert vocabulary.families_by_id.shape == (vocabulary.size,)
        assert np.isin(vocabulary.text_ids, vocabulary.trained_ids).all()


def test_a_vocabulary_shows_itself_in_a_line(vocabularies):
    shown = repr(vocabularies["padded"])
    assert shown == "Vocabulary(spiritlm-base, 2512 rows, 1997 text pieces, 501 units, spacing chunks)"
    assert repr(vocabularies["text"]) == "Vocabulary(text-only, 2000 rows, 1997 text pieces, spacing chunks)"


def test_a_family_of_fewer_units_than_the_tokenizer_has_is_refused(embedded):
    family = embedded.family.replace(n_units=7)
    with pytest.raises(ValueError, match=r"has 7 unit tokens, but the tokenizer has '\[Hu7\]' too, .*n_units"):
        Vocabulary(embedded.tokenizer, family, embedded.size)
