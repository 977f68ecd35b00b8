"""A folder's tokenizer gives SentencePiece's ids under all of its settings, or is refused by the setting's name."""

import copy
import json
import pickle
import shutil
import unicodedata

import pytest
import tokenizers
from pieces import MARKS, piece_folder, write_settings
from prompt_making import text_prompt
from sentencepiece import sentencepiece_model_pb2
from tokenizer_folders import SMALL, write_byte_level_tokenizer
from tokenizers import normalizers

from spiritlens.prompts.vocabulary.families import EMBEDDED, SPIRITLM_BASE, TEXT_ONLY, family_named
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary

SETTINGS = {
    "plain": {},
    "no first blank": {"add_dummy_prefix": False},
    "blanks joined": {"remove_extra_whitespaces": True},
    "nmt_nfkc": {"normalization_rule_name": "nmt_nfkc"},
    "nmt_nfkc, blanks joined": {"normalization_rule_name": "nmt_nfkc", "remove_extra_whitespaces": True},
    "folded case": {"normalization_rule_name": "nmt_nfkc_cf", "remove_extra_whitespaces": True},
    "unigram": {"model_type": "unigram"},
    "unigram without bytes": {"model_type": "unigram", "byte_fallback": False},
    "no bytes": {"byte_fallback": False},
    "digits apart": {"split_digits": True},
}
TEXTS = (
    "the capital of france is",
    "  the  capital of   france ",
    "\tit was\n2023",
    unicodedata.normalize("NFD", "they were in são paulo, e\u0301 ệ"),
    "ﬁne ½ 東京 [x] don't",
    "",
    "  ",
)


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("added", [(), MARKS], ids=["text", "speech"])
@pytest.mark.parametrize("name", SETTINGS)
def test_ids_are_sentencepiece_s_under_every_setting(tmp_path, name, added, legacy):
    own = piece_folder(tmp_path, **SETTINGS[name])
    write_settings(tmp_path, added, own.get_piece_size(), legacy=legacy)
    vocabulary = Vocabulary.load(tmp_path)
    assert [vocabulary.encode(text) for text in TEXTS] == [[1, *own.encode(text)] for text in TEXTS]
    assert [vocabulary.tokenizer(text).input_ids for text in TEXTS] == [vocabulary.encode(text) for text in TEXTS]


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "folded case"])
def test_markers_of_the_model_file_are_spaced_by_sentencepiece(tmp_path, name):
    own = piece_folder(tmp_path, user_defined_symbols=",".join(MARKS), **{**SETTINGS[name], "vocab_size": 840})
    vocabulary = Vocabulary.load(tmp_path)
    for string in ("[Text] the  capital", " [Speech][Hu4][Hu500][Text] is  [Speech][Hu1] ", "the [Text]"):
        assert vocabulary.encode(string) == [1, *own.encode(string)]


def test_added_markers_are_spaced_as_the_layout_says(tmp_path):
    own = piece_folder(tmp_path, remove_extra_whitespaces=True)
    blank, the = own.piece_to_id("▁"), own.piece_to_id("▁the")
    first = own.get_piece_size()
    expected = {True: [first, the, first + 1], False: [blank, first, the, blank, first + 1]}
    for legacy, ids in expected.items():
        write_settings(tmp_path, MARKS, first, legacy=legacy)
        assert Vocabulary.load(tmp_path).encode("[Text]  the  [Speech]") == [1, *ids]


@pytest.mark.parametrize(("asked", "first"), [(True, "▁the"), (False, "t"), (None, "▁the")])
def test_add_prefix_space_of_the_settings_is_honoured(tmp_path, asked, first):
    piece_folder(tmp_path)
    write_settings(tmp_path, add_prefix_space=asked)
    vocabulary = Vocabulary.load(tmp_path)
    assert vocabulary.piece(vocabulary.encode("the capital")[1]).startswith(first)
    assert vocabulary.decode(vocabulary.encode("the capital")) == "the capital"


def test_merges_follow_the_scores_and_not_the_order_of_the_pieces(tmp_path):
    own = piece_folder(tmp_path)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((tmp_path / "tokenizer.model").read_bytes())
    normal = [piece for piece in model.pieces if piece.type == 1]
    for one, other in zip(normal, list(reversed([(p.piece, p.score) for p in normal])), strict=True):
        one.piece, one.score = other
    (tmp_path / "tokenizer.model").write_bytes(model.SerializeToString())
    vocabulary = Vocabulary.load(tmp_path)
    text = "the capital of france is paris"
    assert [vocabulary.piece(index) for index in vocabulary.encode(text)[1:]] == own.encode(text, out_type=str)


def test_the_backend_s_own_normaliser_loses_an_accent():
    """Why SentencePiece itself writes the text; should this fail one day, `normalizers.Precompiled` could do it."""
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(_nmt_nfkc())
    backend = normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap)
    assert backend.normalize_str(unicodedata.normalize("NFD", "ệ")) == "ẹ"


def _nmt_nfkc() -> bytes:
    from pieces import _trained

    return _trained((("normalization_rule_name", "nmt_nfkc"),))


# ---- characters ------------------------------------------------------------------------------------------------------


def characters(vocabulary: Vocabulary, text: str, after: str = "") -> list[tuple[str, str]]:
    return [(vocabulary.piece(index), text[a:b]) for index, a, b in vocabulary.pieces(text, after)]


def test_pieces_count_characters_of_the_text_as_given(tmp_path):
    piece_folder(tmp_path, normalization_rule_name="nmt_nfkc", remove_extra_whitespaces=True)
    write_settings(tmp_path, MARKS, 330)
    vocabulary = Vocabulary.load(tmp_path)
    decomposed = unicodedata.normalize("NFD", "of  são paulo")
    found = characters(vocabulary, decomposed)
    assert "".join(piece for piece, _ in found) == "▁of▁são▁paulo"
    assert "".join(covered for _, covered in found) == decomposed
    assert ("ã", "a\u0303") in found
    after = characters(vocabulary, "  the  capital", "[Text]")
    assert (after[0], after[1][1][:2]) == (("▁the", "  the"), "  ")
    assert characters(vocabulary, "ﬁn")[-1] == ("n", "n")


def test_a_subject_written_with_other_characters_keeps_its_span(tmp_path):
    piece_folder(tmp_path, normalization_rule_name="nmt_nfkc", remove_extra_whitespaces=True)
    text = unicodedata.normalize("NFD", "they  were in são paulo and")
    vocabulary = Vocabulary.load(tmp_path)
    prompt = text_prompt(vocabulary, text, unicodedata.normalize("NFD", "são paulo"), "rome")
    assert "".join(prompt.labels[place] for place in prompt.subject.positions) == "▁são▁paulo"
    assert list(prompt.ids) == vocabulary.encode(text)


# ---- case ------------------------------------------------------------------------------------------------------------


def test_every_entrance_reads_the_family_s_case(vocabularies):
    vocabulary = vocabularies["embedded"]
    lower = vocabulary.encode("[Text] the cat[Speech][Hu3]")
    assert vocabulary.encode("[Text] The CAT[Speech][Hu3]") == lower
    assert vocabulary.tokenizer("[Text] The CAT[Speech][Hu3]").input_ids == lower
    assert vocabulary.pieces(" The", "[Text]") == vocabulary.pieces(" the", "[Text]")
    assert vocabularies["user_defined"].encode("The") != vocabularies["user_defined"].encode("the")


def test_a_letter_that_becomes_two_keeps_the_places(vocabularies):
    text = "İs the cat"
    found = vocabularies["embedded"].pieces(text)
    assert [text[a:b] for _, a, b in found][-2:] == [" the", " cat"]


def test_a_saved_tokenizer_reads_the_family_s_case_too(tmp_path):
    write_byte_level_tokenizer(tmp_path, ["[Text]"])
    family = TEXT_ONLY.replace(name="lower", text_case="lower")
    vocabulary = Vocabulary.load(tmp_path, family)
    assert vocabulary.encode("The Capital[Text]") == vocabulary.encode("the capital[Text]")
    assert vocabulary.tokenizer("The").input_ids == vocabulary.tokenizer("the").input_ids


# ---- added and special tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("layout", ["decoder", "added_tokens.json", "both"])
def test_added_tokens_of_every_file_are_whole(tmp_path, legacy, layout):
    own = piece_folder(tmp_path)
    first = own.get_piece_size()
    write_settings(tmp_path, MARKS if layout != "added_tokens.json" else (), first, legacy=legacy)
    if layout != "decoder":
        listed = {mark: first + number for number, mark in enumerate(MARKS)}
        (tmp_path / "added_tokens.json").write_text(json.dumps(listed))
    vocabulary = Vocabulary.load(tmp_path)
    assert vocabulary.unit_ids == range(first + 2, first + 503)
    assert [index for index in vocabulary.encode("[Speech][Hu7][Hu3]") if index >= first] == [
        first + 1,
        first + 9,
        first + 5,
    ]


def test_ids_with_gaps_stay_where_they_are(tmp_path):
    """transformers gives added tokens the next free ids, whatever their file says."""
    own = piece_folder(tmp_path)
    first = own.get_piece_size() + 7
    write_settings(tmp_path, MARKS, first)
    vocabulary = Vocabulary.load(tmp_path)
    assert vocabulary.unit_ids == range(first + 2, first + 503)
    assert vocabulary.size == first + 503
    assert vocabulary.families_by_id[first - 1] == "padding"


def test_files_that_contradict_one_another_are_refused(tmp_path):
    own = piece_folder(tmp_path)
    write_settings(tmp_path, MARKS, own.get_piece_size())
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[Other]": own.get_piece_size()}))
    with pytest.raises(ValueError, match=r"id 330 is '\[Other\]' there, and '\[Text\]' in another"):
        Vocabulary.load(tmp_path)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[Text]": 900}))
    with pytest.raises(ValueError, match=r"the token '\[Text\]' has two ids, 330 and 900"):
        Vocabulary.load(tmp_path)


@pytest.mark.parametrize(
    "said",
    [
        {"unk_token": ""},
        {"bos_token": "", "eos_token": "", "unk_token": ""},
        {"bos_token": None, "eos_token": None, "unk_token": None, "pad_token": None},
        {"bos_token": {"__type": "AddedToken", "content": "<s>", "normalized": True}, "unk_token": {"content": None}},
    ],
)
def test_special_tokens_of_early_conversions(tmp_path, said):
    own = piece_folder(tmp_path)
    write_settings(tmp_path, **said)
    vocabulary = Vocabulary.load(tmp_path)
    assert vocabulary.encode("the capital") == [1, *own.encode("the capital")]
    assert (vocabulary.bos_id, vocabulary.eos_id, vocabulary.tokenizer.unk_token_id) == (1, 2, 0)


def test_a_padding_token_without_a_row_is_left_out_and_told(tmp_path):
    own = piece_folder(tmp_path)
    size = own.get_piece_size()
    write_settings(tmp_path, ["[PAD]"], size, pad_token="[PAD]")
    with pytest.warns(UserWarning, match=rf"padding token '\[PAD\]' \(id {size}\) has no row"):
        vocabulary = Vocabulary.load(tmp_path, size=size)
    assert vocabulary.encode("the capital") == [1, *own.encode("the capital")]
    assert Vocabulary.load(tmp_path, size=size + 1).tokenizer.pad_token_id == size
    write_settings(tmp_path, bos_token="[BOS]")
    with pytest.raises(ValueError, match=r"special token '\[BOS\]' is neither a piece nor an added token"):
        Vocabulary.load(tmp_path, size=size)


def test_no_beginning_of_sequence_where_the_settings_say_so(tmp_path):
    own = piece_folder(tmp_path)
    write_settings(tmp_path, add_bos_token=False)
    assert Vocabulary.load(tmp_path).encode("the") == own.encode("the")
    write_settings(tmp_path, MARKS, own.get_piece_size(), add_bos_token=False, add_eos_token=True)
    vocabulary = Vocabulary.load(tmp_path)  # SpiritLM's package asks for it whatever the file says
    assert vocabulary.encode("the") == vocabulary.tokenizer("the").input_ids == [1, *own.encode("the")]


def test_a_token_that_takes_blanks_is_refused_where_it_would(tmp_path):
    own = piece_folder(tmp_path)
    flags = {"content": "<turn>", "rstrip": True}
    write_settings(tmp_path, added_tokens_decoder={str(own.get_piece_size()): flags})
    vocabulary = Vocabulary.load(tmp_path)
    assert vocabulary.encode("<turn>the")[2] == own.get_piece_size()
    with pytest.raises(ValueError, match=r"'<turn> ': .*lstrip or rstrip"):
        vocabulary.encode("<turn> the")


# ---- refusals --------------------------------------------------------------------------------------------------------


def spoilt(folder, change):
    piece_folder(folder)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((folder / "tokenizer.model").read_bytes())
    change(model)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda model: setattr(model.trainer_spec, "model_type", 3), "model_type WORD"),
        (lambda model: setattr(model.trainer_spec, "treat_whitespace_as_suffix", True), "treat_whitespace_as_suffix"),
        (lambda model: setattr(model.normalizer_spec, "escape_whitespaces", False), "escape_whitespaces false"),
        (lambda model: setattr(model.pieces[300], "type", 5), "of type UNUSED"),
    ],
)
def test_what_is_not_reproduced_is_refused_by_name(tmp_path, change, said):
    with pytest.raises(ValueError, match=rf"tokenizer.model: its setting .*{said}"):
        Vocabulary.load(spoilt(tmp_path, change))


def test_a_difference_that_no_setting_tells_is_found_by_the_strings_compared(tmp_path, monkeypatch):
    piece_folder(tmp_path)
    monkeypatch.setattr("spiritlens.prompts.vocabulary.sentencepieces._merges", lambda model: [])
    with pytest.raises(ValueError, match=r"for 'the capital of France is' the fast tokenizer gives .*SentencePiece"):
        Vocabulary.load(tmp_path)


def test_control_symbols_of_the_model_file_are_no_hindrance(tmp_path):
    own = piece_folder(tmp_path, control_symbols="<ctl>", user_defined_symbols="<foo>", pad_id=3)
    write_settings(tmp_path)
    vocabulary = Vocabulary.load(tmp_path)
    string = "the  capital<foo> of <foo>"
    assert vocabulary.encode(string) == [1, *own.encode(string)]


def test_a_byte_s_name_in_a_text_is_refused_where_the_backend_reads_the_byte(tmp_path):
    own = piece_folder(tmp_path / "bpe")
    string = "the <0x41> is"
    assert Vocabulary.load(tmp_path / "bpe").encode(string) == [1, *own.encode(string)]
    piece_folder(tmp_path / "unigram", model_type="unigram")
    with pytest.raises(ValueError, match=r"'<0x41>' in 'the <0x41> is' is the name of a byte's piece"):
        Vocabulary.load(tmp_path / "unigram").encode(string)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sp_model_kwargs": {"add_bos": True}}, "sp_model_kwargs asks for add_bos"),
        ({"sp_model_kwargs": {"reverse": True}}, "sp_model_kwargs asks for reverse"),
        ({"sp_model_kwargs": ["enable_sampling"]}, "sp_model_kwargs is .*expected an object"),
        ({"split_special_tokens": True}, "split_special_tokens asks"),
        ({"additional_special_tokens": "<turn>"}, "additional special tokens are '<turn>'; expected a list"),
        ({"added_tokens_decoder": {"330": {"content": "word", "single_word": True}}}, "'word' .*single_word"),
        ({"added_tokens_decoder": {"5": {"content": "zz"}}}, "id 5 is the piece '<0x02>' .*the added token 'zz'"),
        ({"added_tokens_decoder": {"300": {"content": "zz"}}}, "id 300 is the piece .*the added token 'zz'"),
    ],
)
def test_settings_that_change_ids_are_refused_by_name(tmp_path, values, said):
    piece_folder(tmp_path)
    write_settings(tmp_path, **values)
    with pytest.raises(ValueError, match=said):
        Vocabulary.load(tmp_path)


def byte_level(folder, change=lambda saved: None, **values):
    """A byte-level tokenizer whose tokenizer.json is changed, and whose settings hold these values besides."""
    size = write_byte_level_tokenizer(folder, ["<m>"])
    saved = json.loads((folder / "tokenizer.json").read_text())
    change(saved)
    (folder / "tokenizer.json").write_text(json.dumps(saved))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    tokens = {str(size + int(shift)): token for shift, token in values.pop("added", {}).items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, **values, "added_tokens_decoder": tokens}))
    return folder


@pytest.mark.parametrize(
    ("change", "values", "said"),
    [
        (lambda saved: saved["model"].update(dropout=0.1), {}, "dropout 0.1, so that its ids are random"),
        (lambda saved: None, {"additional_special_tokens": ["<x>"]}, "special token '<x>' is not in tokenizer.json"),
        (lambda saved: None, {"bos_token": "<|end_of_text|>"}, r"begins a string with \['<\|begin_of_text\|>'\]"),
        (lambda saved: None, {"bos_token": None}, "bos_token is None"),
        (
            lambda saved: saved["post_processor"]["single"].insert(
                1, {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}
            ),
            {},
            "prompts begin with that one token or with none",
        ),
        (lambda saved: None, {"added": {"-1": {"content": "<m>", "lstrip": True}}}, "'<m>' takes blanks beside it"),
        (lambda saved: None, {"added": {"0": {"content": "capital"}}}, "the file by itself"),
        (lambda saved: None, {"added": {"0": {"content": "<n>", "rstrip": True}}}, "'<n>' takes blanks beside it"),
        (
            lambda saved: saved.update(normalizer={"type": "Lowercase"}),
            {"added": {"0": {"content": "WORD", "normalized": True}}},
            "'WORD' is looked for as 'word'",
        ),
    ],
)
def test_a_tokenizer_json_that_would_give_other_ids_is_refused_by_name(tmp_path, change, values, said):
    with pytest.raises(ValueError, match=said):
        Vocabulary.load(byte_level(tmp_path, change, **values))


def test_added_tokens_of_a_tokenizer_json_beside_the_model_count_too(tmp_path):
    own = piece_folder(tmp_path)
    size = own.get_piece_size()
    write_settings(tmp_path, ["<a>"], size)
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"id": size + 1, "content": "<b>"}]}))
    assert Vocabulary.load(tmp_path).encode("<a><b>")[-2:] == [size, size + 1]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"id": size, "content": "<b>"}]}))
    with pytest.raises(ValueError, match=rf"id {size} is '<b>' there, and '<a>' in another"):
        Vocabulary.load(tmp_path)


def test_a_file_that_names_something_twice_is_refused(tmp_path):
    piece_folder(tmp_path)
    (tmp_path / "added_tokens.json").write_text('{"<m>": 330, "<m>": 331}')
    with pytest.raises(ValueError, match=r"added_tokens\.json cannot be read as JSON .*'<m>' is there twice"):
        Vocabulary.load(tmp_path)


def test_code_of_the_folder_is_neither_asked_for_nor_run(tmp_path):
    write_byte_level_tokenizer(tmp_path, [])
    (tmp_path / "own.py").write_text("from pathlib import Path\nPath(__file__).with_name('ran').touch()\n")
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config |= {"auto_map": {"AutoTokenizer": ["own.Tokenizer", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"auto_map asks for code .* never run here; use the tokenizer's files"):
        Vocabulary.load(tmp_path)
    assert not (tmp_path / "ran").exists()
    del config["auto_map"]  # the remedy that the error names
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert Vocabulary.load(tmp_path).encode("the")


def test_a_cut_list_of_units_is_refused_where_the_rows_are_there(tmp_path):
    own = piece_folder(tmp_path)
    size = own.get_piece_size()
    write_settings(tmp_path, MARKS[:403], size)
    with pytest.raises(ValueError, match=r"has 401 of the 501 unit tokens of spiritlm-base, and 100 rows"):
        Vocabulary.load(tmp_path, size=size + 503)
    remedy = family_named("spiritlm-base").replace(n_units=401)
    assert len(Vocabulary.load(tmp_path, remedy, size + 503).unit_ids) == 401
    assert len(Vocabulary.load(tmp_path, size=size + 403).unit_ids) == 401  # a small checkpoint in the family's format


# ---- files -----------------------------------------------------------------------------------------------------------


def test_a_tokenizer_json_is_taken_as_it_is_saved(tmp_path):
    """Whatever class the settings name: transformers' Llama class would build another tokenizer from its pieces."""
    write_byte_level_tokenizer(tmp_path, MARKS)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text()) | {"tokenizer_class": "LlamaTokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    saved = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    vocabulary = Vocabulary.load(tmp_path)
    for string in (*TEXTS, "[Speech][Hu3] the", "the[Text] cat"):
        assert vocabulary.encode(string) == saved.encode(string).ids == vocabulary.tokenizer(string).input_ids


def test_llama_3_s_list_of_pieces_beside_a_tokenizer_json(tmp_path):
    write_byte_level_tokenizer(tmp_path, MARKS)
    (tmp_path / "tokenizer.model").write_bytes(b"IQ== 0\nIg== 1\n")
    assert Vocabulary.load(tmp_path).spacing == "saved"
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"tokenizer.model is no SentencePiece model"):
        Vocabulary.load(tmp_path)


def test_saving_and_copying_keep_the_ids(tmp_path):
    own = piece_folder(tmp_path / "one", normalization_rule_name="nmt_nfkc")
    write_settings(tmp_path / "one", MARKS, own.get_piece_size())
    vocabulary = Vocabulary.load(tmp_path / "one")
    vocabulary.tokenizer.save_pretrained(tmp_path / "two")
    string = unicodedata.normalize("NFD", "[Text] são  paulo[Speech][Hu3]")
    expected = vocabulary.encode(string)
    assert Vocabulary.load(tmp_path / "two").encode(string) == expected
    for twin in (copy.deepcopy(vocabulary.tokenizer), pickle.loads(pickle.dumps(vocabulary.tokenizer))):
        assert twin(string).input_ids == expected


def test_records_are_checked_by_name(tmp_path):
    shutil.copytree(SMALL / "added_tokens", tmp_path / "m")
    record = tmp_path / "m" / "spiritlens.json"
    for values, said in (
        ({"n_units": 7.5}, r"spiritlens.json: n_units=7.5: expected a whole number"),
        ({"family": "spiritlm-base", "untrained_ids": [10**9]}, r"untrained_ids=1000000000: .* rows of the embedding"),
        ({"encoder": "hubert"}, r"encoder='hubert': expected an object"),
    ):
        record.write_text(json.dumps(values))
        with pytest.raises(ValueError, match=said):
            Vocabulary.load(tmp_path / "m")
    record.write_text("{")
    with pytest.raises(ValueError, match=r"spiritlens.json cannot be read as JSON"):
        Vocabulary.load(tmp_path / "m")


@pytest.mark.parametrize("family", ["spiritlm-base", 5])
def test_a_family_is_a_record(family):
    with pytest.raises(
        ValueError, match=r"expected a Family record; give spiritlens.prompts.vocabulary.families.family_named"
    ):
        Vocabulary.load(SMALL / "added_tokens", family)
    assert Vocabulary.load(SMALL / "added_tokens", family_named("spiritlm-base")).family == SPIRITLM_BASE
    assert EMBEDDED.text_case == "lower"
