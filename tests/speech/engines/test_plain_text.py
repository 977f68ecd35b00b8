"""Text as it is spoken: numbers, abbreviations, signs and punctuation, and the way back to what was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlens.speech.engines.plain_text import UnspeakableError, plain_text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("in 1984", "in nineteen eighty four"),
        ("in 1905", "in nineteen oh five"),
        ("in 1900", "in nineteen hundred"),
        ("2005 ships", "two thousand five ships"),
        ("1,234,567", "one million two hundred thirty four thousand five hundred sixty seven"),
        ("3.14", "three point one four"),
        ("the 21st of May", "the twenty first of May"),
        ("the 12th, 30th", "the twelfth thirtieth"),
        ("007", "zero zero seven"),
        ("50%", "fifty per cent"),
        ("Dr. Smith & Mrs. Jones", "doctor Smith and missus Jones"),
        ("didn't it?", "didn't it"),
        ("it didn’t", "it didn't"),
        ('"Guinea-Bissau" (Africa)', "Guinea Bissau Africa"),
        ("Côte d'Ivoire", "Côte d'Ivoire"),
        ("Co\u0302te", "Côte"),
        ("the square of -1 is", "the square of minus one is"),
        ("5−3 = 2", "five minus three equals two"),
        ("(-$5)", "minus five dollars"),
        ("it costs $5 in", "it costs five dollars in"),
        ("$1.5 million or 5 €", "one point five million dollars or five euros"),
        ("3/4 of it, ½ or 2½", "three quarters of it one half or two and one half"),
        ("C# and C++", "C sharp and C plus plus"),
        ("#1 on #rome", "number one on hash rome"),
        ("it is 5 ° in, 1°, 20 °C", "it is five degrees in one degree twenty degrees Celsius"),
        ("mc² and CO₂", "mc squared and CO two"),
        ("a@b", "a at b"),
        ("AC/DC", "AC slash DC"),
        ("AT&T's", "AT and T's"),
        ("at 10:30, 1939–45", "at ten thirty nineteen thirty nine to forty five"),
        ("in the 1980s, '80s", "in the nineteen eighties eighties"),
        ("iPhone 4s, 3GS", "iPhone four s three GS"),
        ("1917's film", "nineteen seventeen's film"),
        ("Henry VIII's wife, XIII", "Henry eight's wife thirteen"),
        ("Xi and Vi, I", "Xi and Vi I"),
        ("Audible.com, X11.app", "Audible dot com X eleven dot app"),
        ("S.p.A. J.R.R. Tolkien", "S p A J R R Tolkien"),
        (".NET, the .com site ...and", "dot NET the dot com site and"),
        (
            "Yahoo! said \"1984\", '98' and the '90s' hits?",
            "Yahoo said nineteen eighty four ninety eight and the nineties hits",
        ),
        ("No.5 v1.2", "No five v one point two"),
        ("the end.The start", "the end The start"),
        ("B-29 (Ontario Section)'s", "B twenty nine Ontario Section's"),
        ("(Mr. Bean), Dr. No", "mister Bean doctor No"),
        ("soft\u00adware\u200b", "software"),
        ("Hawaiʻi", "Hawai'i"),
        ("players' cup, Howlin' Wolf", "players cup Howlin Wolf"),
    ],
)
def test_words_are_those_spoken(text, words):
    assert " ".join(plain_text(text).words) == words


def test_punctuation_goes_to_the_engine_and_not_into_the_words():
    plain = plain_text("Well, the Capital of France is Paris.")
    assert plain.engine_text == "well, the capital of france is paris."
    assert plain.words[2] == "Capital"
    assert [plain.engine_text[position:][:2] for position in plain.positions()][:3] == ["we", "th", "ca"]


def test_text_without_words_is_refused():
    with pytest.raises(ValueError, match="holds no word"):
        plain_text(" ... !")


def test_words_keep_the_characters_that_they_were_written_with():
    text = "Mr. Bean's $5 in the 1917 AT&T, J.R. (VIII)"
    plain = plain_text(text)
    assert [text[start:end] for start, end in plain.characters] == [
        "Mr.", "Bean", "$5", "$5", "in", "the", "1917", "1917", "AT", "&", "T", "J", "R", "VIII",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a*b", r"'\*' \(ASTERISK\)"),
        ("snake_case", "LOW LINE"),
        ("<break time='1s'/>", "LESS-THAN SIGN"),
        ("10⁶", "SUPERSCRIPT SIX"),
        ("² is", "SUPERSCRIPT TWO"),
        ("1ˢᵗ", "MODIFIER LETTER SMALL S"),
        ("the ° sign", "DEGREE SIGN"),
        ("$ and", "DOLLAR SIGN"),
        ("US$5", "DOLLAR SIGN"),
        ("$5m", "DOLLAR SIGN"),
        ("5₹", "INDIAN RUPEE SIGN"),
        ("Windows™", "TRADE MARK SIGN"),
        ("a\0b", r"U\+0000"),
        ("a\ud800", r"U\+D800"),
        ("so 🙂", "SLIGHTLY SMILING FACE"),
        ("# is", "NUMBER SIGN"),
        ("1,5 is", r"'1,5' in '1,5 is' can be read in more than one way"),
        ("won 3-1", "'3-1'"),
        ("5 - 1", "'5 - 1'"),
        ("9/11", "'9/11'"),
        ("1 000 ships", "'1 000'"),
        ("5'10", "more than one way"),
        ('the 12" disc', "QUOTATION MARK"),
        ("6' tall", "APOSTROPHE"),
        ("P!nk sang", "EXCLAMATION MARK"),
        ("!Kung is", "EXCLAMATION MARK"),
        ("北京 is", "'北京' has letters that this voice does not know"),
        ("Москва", "letters that this voice does not know"),
    ],
)
def test_what_has_no_words_is_refused_by_name(text, named):
    with pytest.raises(UnspeakableError, match=named):
        plain_text(text)


def test_what_is_no_text_is_refused():
    for odd in (None, 5, b"rome", ["rome"]):
        with pytest.raises(ValueError, match=r"text=.*expected a text to speak"):
            plain_text(odd)


@given(st.text(st.sampled_from("aBcé19 .,-–'’&$/%#½²(VIX)s:+"), max_size=14))
def test_the_words_said_are_said_alike_again(text):
    """Words are spoken alone, too, where an engine runs them together."""
    try:
        plain = plain_text(text)
    except ValueError:
        return
    assert all(0 <= start < end <= len(text) for start, end in plain.characters)
    assert list(plain.characters) == sorted(plain.characters)
    for word in plain.words:
        assert plain_text(word).words == (word,)
