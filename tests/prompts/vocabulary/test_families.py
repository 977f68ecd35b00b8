import pytest

from spiritlens.prompts.vocabulary.families import (
    EMBEDDED,
    FAMILIES,
    SIMS_LLAMA,
    SPEECHGPT,
    SPIRE,
    SPIRITLM_BASE,
    SPIRITLM_EXPRESSIVE,
    TEXT_ONLY,
    family_named,
    family_of_strings,
)
from spiritlens.prompts.vocabulary.family import Family, Stream


def strings(family: Family) -> list[str]:
    further = (string.replace("{}", "7") for string in family.further_tokens)
    return [
        *further,
        *family.markers,
        *(unit for stream in family.all_streams() for unit in stream.units()),
        "▁the",
        "<s>",
    ]


def test_records_are_found_by_name():
    assert {family_named(name) for name in FAMILIES} == set(FAMILIES.values())
    with pytest.raises(ValueError, match=r"unknown family 'spirit'.*spiritlm-base"):
        family_named("spirit")


@pytest.mark.parametrize(
    "family", [SPIRITLM_BASE, SPIRITLM_EXPRESSIVE, SIMS_LLAMA, SPEECHGPT, SPIRE, TEXT_ONLY], ids=str
)
def test_a_family_is_detected_from_its_own_strings(family):
    assert family_of_strings(strings(family)) == family


def test_a_smaller_checkpoint_keeps_its_family_and_counts_its_units():
    small = family_of_strings(strings(SPIRITLM_EXPRESSIVE.replace(n_units=12)))
    assert (small.name, small.n_units) == ("spiritlm-expressive", 12)
    assert [stream.count for stream in small.all_streams()] == [100, 64, 12]


def test_one_string_alone_may_be_an_ordinary_piece():
    assert family_of_strings(["▁the", "<text>"]) == TEXT_ONLY


@pytest.mark.parametrize(
    ("strings", "message"),
    [
        (["[Hu0]", "[Hu1]", "[Text]"], r"has \['\[Text\]', '\[Hu0\]'\] of family 'spiritlm-expressive' but not"),
        (
            ["[Text]", "[Speech]", "▁the"],
            r"but not \['\[Hu0\]', '\[Hu500\]'\]; use the checkpoint's own tokenizer files",
        ),
        (["<sosp>", "<eosp>", "<1>"], "of family 'speechgpt' but not"),
    ],
)
def test_some_of_a_family_s_strings_are_refused(strings, message):
    with pytest.raises(ValueError, match=message):
        family_of_strings(strings)


def test_unit_strings_follow_the_template():
    assert SPIRITLM_BASE.stream("unit").units()[500] == "[Hu500]"
    assert SPIRE.stream("unit").unit(3) == chr(0xF0003)


@pytest.mark.parametrize(
    ("family", "string", "numbers"),
    [
        (SPIRITLM_BASE, "[Speech][Hu7][Hu999]the 12[Text]", [7, 999]),
        (FAMILIES["ichigo"], "<|sound_0007|><|sound_9999|>", [7, 9999]),
        (FAMILIES["ustm"], "<|unit12|><|unit3|>", [12, 3]),
        (FAMILIES["anygpt"], "<👀5><🗣️6>", [6]),
        (SPIRE, "Speech 12", []),
    ],
)
def test_numbers_of_units_are_read_out_of_a_string(family, string, numbers):
    assert family.stream("unit").numbers(string) == numbers


def test_two_markers_of_different_meaning():
    ustm, usdm = FAMILIES["ustm"], FAMILIES["usdm"]
    assert ustm.markers == ("<|continue|>", "<|correspond|>")
    assert usdm.markers == ("<|correspond|>",)
    assert usdm.is_further("<|continue|>")
    assert not ustm.is_further("<|continue|>")
    assert FAMILIES["anygpt"].is_further("<👀812>")
    assert not FAMILIES["anygpt"].is_further("<👀>")


def test_records_name_encoders_and_which_of_them_are_run_here():
    elsewhere = {name for name, family in FAMILIES.items() if family.encoder.get("kind") == "external"}
    assert elsewhere == {"ustm", "usdm", "ichigo", "anygpt"}
    for family in FAMILIES.values():
        assert not family.has_speech or family.encoder["name"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spoken_turn": "Speech: "}, "spoken_turn of family 'spire'='Speech: ': expected two texts"),
        ({"written_turn": ("a",)}, "written_turn of family 'spire'.*expected two texts"),
        ({"transcript_turn": (None, "")}, "transcript_turn of family 'spire'.*expected two texts"),
        ({"further_tokens": "<eoh>"}, "further_tokens of family 'spire'"),
        ({"answers": "later"}, "answers of family 'spire'='later': expected one of at_once, after_transcript"),
        ({"answer_form": "short"}, "answer_form of family 'spire'='short': expected one of blank, bare"),
        ({"transcript_open": ""}, "transcript_open of family 'spire'"),
    ],
)
def test_odd_turns_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SPIRE.replace(**changes)


def test_streams_are_ordered_style_pitch_unit():
    assert [stream.name for stream in SPIRITLM_EXPRESSIVE.all_streams()] == ["style", "pitch", "unit"]
    assert TEXT_ONLY.all_streams() == ()


def test_case_policy():
    assert EMBEDDED.cased("New Zealand") == "new zealand"
    assert SPIRITLM_BASE.cased("New Zealand") == "New Zealand"


def test_a_template_without_a_number_is_refused():
    with pytest.raises(ValueError, match=r"template '\[Hu\]' lacks '\{\}'"):
        Family(name="odd", unit_template="[Hu]", n_units=4)


def test_a_rate_of_zero_is_refused():
    with pytest.raises(ValueError, match="rate of stream 'pitch' in frames per second=0: expected a number > 0"):
        Stream("pitch", "[Pi{}]", 4, rate=0, deduplicate=True)


def test_a_stream_of_another_name_is_refused():
    with pytest.raises(ValueError, match="name of the stream='mood': expected one of unit, pitch, style"):
        Stream("mood", "[Mo{}]", 4, rate=1.0, deduplicate=True)


def test_families_that_share_their_strings_are_known_by_a_record():
    """Each family of units is found by its own strings, or says that it is not."""
    for family in FAMILIES.values():
        found = family_of_strings(strings(family)).name
        assert (found == family.name) == (family.recognition == "strings"), family.name


def test_a_negative_number_of_units_is_refused():
    with pytest.raises(ValueError, match="n_units of family 'spiritlm-base'=-1"):
        SPIRITLM_BASE.replace(n_units=-1)


def test_always_a_text_marker_needs_one():
    with pytest.raises(ValueError, match="needs text_open"):
        SPEECHGPT.replace(marker_policy="always")


def test_an_unknown_stream_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"no stream 'pitch'.*'unit'"):
        SPIRITLM_BASE.stream("pitch")
