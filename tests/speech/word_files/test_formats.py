"""Each file format: what its programs write, what is chosen in it, and what is refused and why."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlens.speech.word_files.sources import read_words
from spiritlens.speech.words import WordInterval

WORDS = (WordInterval("the", 0.1, 0.25), WordInterval('"café"', 0.25, 0.5), WordInterval("is", 0.75, 1.0))
TRIPLES = [(word.word, word.start, word.end) for word in WORDS]


def clock(seconds, sign="."):
    thousandths = round(1000 * seconds)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{sign}{rest % 1000:03}"


def textgrid(words, name="words", kind="IntervalTier"):
    text = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 9\ntiers? <exists>\nsize = 1\n'
    text += "item []:\n"
    text += f'    item [1]:\n        class = "{kind}"\n        name = "{name}"\n        xmin = 0\n        xmax = 9\n'
    text += f"        intervals: size = {len(words)}\n"
    for number, (word, start, end) in enumerate(words, 1):
        written = word.replace('"', '""')
        text += f"        intervals [{number}]:\n            xmin = {start} \n            xmax = {end} \n"
        text += f'            text = "{written}" \n'
    return text


def short_textgrid(words):
    rows = "".join('{}\n{}\n"{}"\n'.format(start, end, word.replace('"', '""')) for word, start, end in words)
    head = 'File type = "ooTextFile short"\n"TextGrid"\n\n0\n9\n<exists>\n1\n"IntervalTier"\n"words"\n0\n9\n'
    return f"{head}{len(words)}\n{rows}"


def chronological(words):
    head = '"Praat chronological TextGrid text file"\n0 9   ! Time domain.\n1   ! Number of tiers.\n'
    head += '"IntervalTier" "words" 0 9\n'
    return head + "".join(
        '\n! words:\n1 {} {}\n"{}"\n'.format(start, end, word.replace('"', '""')) for word, start, end in words
    )


def binary(words):
    def wide(text):
        if text.isascii():
            return struct.pack(">h", len(text)) + text.encode()
        return struct.pack(">hh", -1, len(text.encode("utf-16-be")) // 2) + text.encode("utf-16-be")

    head = b"ooBinaryFile\x08TextGrid" + struct.pack(">dd?i", 0, 9, True, 1) + b"\x0cIntervalTier" + wide("words")
    body = b"".join(struct.pack(">dd", start, end) + wide(word) for word, start, end in words)
    return head + struct.pack(">ddi", 0, 9, len(words)) + body


def elan(words, more=""):
    from xml.sax.saxutils import escape

    slots = annotations = ""
    for number, (word, start, end) in enumerate(words):
        for side, time in ((1, start), (2, end)):
            slots += f'<TIME_SLOT TIME_SLOT_ID="ts{number}_{side}" TIME_VALUE="{round(1000 * time)}"/>'
        annotations = (  # in the reverse order
            f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" TIME_SLOT_REF1="ts{number}_1" '
            f'TIME_SLOT_REF2="ts{number}_2"><ANNOTATION_VALUE>{escape(word)}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>'
            f"</ANNOTATION>{annotations}"
        )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT><TIME_ORDER>{slots}</TIME_ORDER>'
        f'<TIER TIER_ID="w" PARTICIPANT="Anna">{annotations}</TIER>{more}</ANNOTATION_DOCUMENT>'
    )


def in_thousandths(start, end):
    return round(1000 * start), round(1000 * end)


TEMPLATES = {
    "long.TextGrid": textgrid,
    "short.TextGrid": short_textgrid,
    "chronological.TextGrid": chronological,
    "binary.TextGrid": binary,
    "utf16.TextGrid": lambda words: textgrid(words).encode("utf-16"),
    "w.eaf": elan,
    "w.ctm": lambda words: ";; words\n" + "".join(f"rec 1 {a:.3f} {b - a:.3f} {w} 0.9\n" for w, a, b in words),
    "audacity.txt": lambda words: "".join(f"{a:.6f}\t{b:.6f}\t{w}\n" for w, a, b in words),
    "align.txt": lambda words: "".join(f"{a:8.3f} {b:8.3f}  {w}\n" for w, a, b in words),
    "htk.lab": lambda words: (
        "0 1 sil\n" + "".join("{}0000 {}0000 {}\n".format(*in_thousandths(a, b), w) for w, a, b in words)
    ),
    "w.srt": lambda words: "".join(
        f"{n}\n{clock(a, ',')} --> {clock(b, ',')}\n{w}\n\n" for n, (w, a, b) in enumerate(words, 1)
    ),
    "cues.vtt": lambda words: (
        "WEBVTT\n\n" + "".join(f"{clock(a)} --> {clock(b)} align:start\n{w}\n\n" for w, a, b in words)
    ),
    "w.csv": lambda words: (
        "word,start,end\r\n" + "".join('"{}",{},{}\r\n'.format(w.replace('"', '""'), a, b) for w, a, b in words)
    ),
    "mfa.csv": lambda words: (
        "Begin,End,Label,Type,Speaker\n"
        + "".join(
            '{0},{1},"{2}",words,anna\n{0},{1},X,phones,anna\n'.format(a, b, w.replace('"', '""')) for w, a, b in words
        )
    ),
    "whisper.tsv": lambda words: (
        "start\tend\ttext\n"
        + "".join('{}\t{}\t"{}"\n'.format(*in_thousandths(a, b), w.replace('"', '""')) for w, a, b in words)
    ),
    "mfa.json": lambda words: json.dumps(
        {
            "start": 0,
            "end": 9,
            "tiers": {
                "words": {"type": "interval", "entries": [[a, b, w] for w, a, b in words]},
                "phones": {"type": "interval", "entries": [[a, b, "X"] for _, a, b in words]},
            },
        }
    ),
    "praatio.json": lambda words: json.dumps(
        {"tiers": [{"class": "IntervalTier", "name": "w", "entries": [[a, b, w] for w, a, b in words]}]}
    ),
    "set.json": lambda words: json.dumps({"words": [{"word": w, "start": a, "end": b} for w, a, b in words]}, indent=1),
}


def save(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_programs_write_is_read(tmp_path, name):
    """The format is known by its content: another ending changes nothing."""
    content = TEMPLATES[name](TRIPLES)
    assert read_words(save(tmp_path, name, content), duration=1.0) == WORDS
    assert read_words(save(tmp_path, "words.dat", content)) == WORDS


LETTERS = st.characters(categories=("Lu", "Ll", "Lo", "Mn", "Nd"), include_characters="'-", exclude_characters="<>&")
SPOKEN = st.text(LETTERS, min_size=1, max_size=8).filter(
    lambda word: word.lower() not in ("sil", "sp", "spn") and word.strip() == word and not word[0].isdigit()
)
STEPS = st.lists(st.tuples(SPOKEN, st.integers(0, 300), st.integers(1, 900)), min_size=1, max_size=6)


@given(steps=STEPS, name=st.sampled_from(sorted(TEMPLATES)))
def test_any_words_come_back_equal(tmp_path_factory, steps, name):
    words, time = [], 100  # milliseconds
    for word, pause, length in steps:
        words.append((word, (time + pause) / 1000, (time + pause + length) / 1000))
        time += pause + length
    path = save(tmp_path_factory.mktemp("words"), name, TEMPLATES[name](words))
    assert [(word.word, word.start, word.end) for word in read_words(path)] == words


# TextGrid


def test_times_as_praat_writes_them(tmp_path):
    rows = [("the", "1.1e-13", "0.1100000001"), ("capital", "0.11", "5.7e-1")]
    assert read_words(save(tmp_path, "a.TextGrid", textgrid(rows))) == (
        WordInterval("the", 1.1e-13, 0.1100000001),
        WordInterval("capital", 0.11, 0.57),
    )


def tiers(tmp_path, *names):
    """A TextGrid by praatio with interval tiers of these names and a point tier."""
    praatio = pytest.importorskip("praatio.textgrid")
    made = praatio.Textgrid()
    for name in names:
        made.addTier(praatio.IntervalTier(name, [(start, end, word) for word, start, end in TRIPLES], 0, 1.2))
    made.addTier(praatio.PointTier("tones", [(0.3, "x")], 0, 1.2))
    path = tmp_path / "tiers.TextGrid"
    made.save(str(path), format="long_textgrid", includeBlankSpaces=True)
    return path


def test_the_tier_is_found_or_asked_for(tmp_path):
    assert read_words(tiers(tmp_path, "phones", "anna - words")) == WORDS
    assert read_words(tiers(tmp_path, "whatever")) == WORDS
    both = tiers(tmp_path, "anna - words", "anna - phones", "ben - words")
    with pytest.raises(ValueError, match=r"name the tier of words \(tier=\); its tiers are 'anna - words', 'anna - ph"):
        read_words(both)
    assert read_words(both, tier="ben - words") == read_words(both, speaker="anna") == WORDS
    with pytest.raises(ValueError, match=r"no tier 'x'; its tiers are 'anna"):
        read_words(both, tier="x")
    with pytest.raises(ValueError, match="tier 'tones' holds points, which have no end"):
        read_words(both, tier="tones")
    with pytest.raises(ValueError, match="no tier of words: tier 'tones' holds points"):
        read_words(tiers(tmp_path))


def test_of_two_tiers_of_one_name_neither_is_passed_over(tmp_path):
    praat = textgrid(TRIPLES)
    second = praat[praat.index("item [1]") :].replace("the", "a")
    path = save(tmp_path, "two.TextGrid", praat.replace("size = 1\n", "size = 2\n", 1) + second)
    with pytest.raises(ValueError, match=r"name the tier of words \(tier=\); its tiers are 'words', 'words_2'"):
        read_words(path)
    assert read_words(path, tier="words") == WORDS
    assert read_words(path, tier="words_2")[0].word == "a"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a TextGrid"),
        (b"garbage", "is not a TextGrid"),
        (b'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exi', "ends before whether it has tiers"),
        (textgrid(TRIPLES)[:-30].encode(), "ends before the end of interval 3 of tier 'words'"),
        (textgrid(TRIPLES)[:-4].encode(), "a text in quotes does not end"),
        (textgrid([("a", "0,1", "0,2")]).encode(), "'0,1' is no number; write seconds with a decimal point"),
        (textgrid(TRIPLES, kind="PitchTier").encode(), "tier 1 is of class 'PitchTier'"),
        (binary(TRIPLES)[:-3], "ends before the text of interval 3 of tier 'words'"),
        (b"ooBinaryFile\x05Sound", "is a Praat Sound, not a TextGrid"),
        (b'File type = "ooTextFile"\nObject class = "Collection"\n', "is a Praat Collection, not a TextGrid"),
        (textgrid([("a", 0.5, 0.1)]).encode(), "interval 1 of tier 'words': .*start < end"),
    ],
)
def test_textgrids_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_words(save(tmp_path, "bad.TextGrid", content))


# the others


def test_recordings_and_channels_of_a_ctm(tmp_path):
    path = save(tmp_path, "w.ctm", "b A 0.1 0.2 the\nb B 0.1 0.3 cat\na A 0.1 0.4 is\n")
    with pytest.raises(ValueError, match=r"name the recording \(recording=\); its recordings are 'b', 'a'"):
        read_words(path)
    with pytest.raises(ValueError, match=r"name the channel \(channel=\); its channels are 'A', 'B'"):
        read_words(path, recording="b")
    assert read_words(path, recording="b", channel="B") == (WordInterval("cat", 0.1, 0.4),)
    assert read_words(path, recording="a") == (WordInterval("is", 0.1, 0.5),)


def test_an_end_rounded_past_the_next_start(tmp_path):
    assert read_words(save(tmp_path, "w.ctm", "a 1 0.11 0.47 the\na 1 0.57 0.1 cat\n"))[0] == WordInterval(
        "the", 0.11, 0.57
    )
    with pytest.raises(ValueError, match="words overlap"):
        read_words(save(tmp_path, "w.ctm", "a 1 0.11 0.49 the\na 1 0.57 0.1 cat\n"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("segments", "utt1 rec1 0.10 0.57\n", "line 1: .*has no word .*Kaldi's segments"),
        ("a.rttm", "SPEAKER a 1 0.1 0.5 <NA> <NA> anna <NA>\n", "RTTM's, which says who speaks but no words"),
        ("a.ctm", "a 1 0.1 0.2 the\na 1 * * <ALT_BEGIN>\n", "line 2: it holds alternatives"),
        ("a.ctm", "a 1 0.1 0.2 the\na 1 x 0.2 cat\n", "line 2: .*expected recording, channel, start, duration, word"),
        ("a.txt", "0.1\t0.2\tthe\n0.5\t0.5\tcat\n", "line 2: 'cat' is a point, which has no end"),
        ("a.txt", "0.1\t0.2\tthe\ncat\n", "line 2: 'cat'; expected start, end, label"),
        ("a.wrd", "0 3050 h#\n3050 24559 she\n", "whole numbers up to 24559: too small for HTK's .*divide samples"),
        ("a.lab", "0 1000000 dh the\n1000000 2000000 ax\n", "line 1: 'dh the' is more than HTK's label and its score"),
        ("a.csv", "utterance,word,start,end\na,the,0,1\nb,cat,1,2\n", "name the recording .*are 'a', 'b'"),
        ("a.csv", "word,start,end,File\nthe,0,1,a\ncat,1,2,b\n", "name the recording .*are 'a', 'b'"),
        ("a.lab", "the capital of france\n", "line 1: .*expected start, end, label"),
        ("a.srt", "1\n00:00:00,100 --> 00:00:00,250\nthe capital\n", "cue 1: 'the capital' has one time for several"),
        ("a.csv", "word,start,end\nthe,0.1\n", "row 2 has 2 cells, the head 3 columns"),
        ("a.csv", "word,text,start,end\na,b,0.1,0.2\n", "columns 'word' and 'text' both could be the word"),
        ("a.tsv", "start\tend\ttext\n0\t900\tthe capital\n", "one time for several words"),
        ("a.eaf", "<html></html>", "XML of <html>, not an ELAN document"),
        ("a.eaf", "<ANNOTATION_DOCUMENT>", "no complete XML"),
        ("a.json", '{"words": [{"word": "a", "start": 0, "end": 1}], "words": []}', "'words' is there twice"),
        ("a.json", '{"tiers": {"w": {"type": "interval", "entries": [[0.1, "a"]]}}}', "interval 1 of tier 'w' is"),
    ],
)
def test_the_true_reason(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message):
        read_words(save(tmp_path, name, content))


def test_words_within_cues(tmp_path):
    stamped = "WEBVTT\n\nNOTE a note\n\n00:00.100 --> 00:00.900\n"
    stamped += "<v Anna>the <00:00.300><c>capital</c> <00:00.500>caf&eacute;\n"
    found = (WordInterval("the", 0.1, 0.3), WordInterval("capital", 0.3, 0.5), WordInterval("café", 0.5, 0.9))
    assert read_words(save(tmp_path, "a.vtt", stamped)) == read_words(save(tmp_path, "a.vtt", stamped), speaker="Anna")
    assert read_words(save(tmp_path, "a.vtt", stamped)) == found
    marked = [("<u>the</u> capital", 0.1, 0.3), ("the capital", 0.3, 0.4), ("the <u>capital</u>", 0.4, 0.5)]
    cues = "".join(f"{n}\n{clock(a, ',')} --> {clock(b, ',')}\n{w}\n\n" for n, (w, a, b) in enumerate(marked, 1))
    found = (WordInterval("the", 0.1, 0.3), WordInterval("capital", 0.4, 0.5))
    assert read_words(save(tmp_path, "a.srt", cues)) == found


def test_a_tier_of_elan_that_refers_to_another(tmp_path):
    annotation = '<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="r1" ANNOTATION_REF="a0"/></ANNOTATION>'
    path = save(tmp_path, "a.eaf", elan(TRIPLES, f'<TIER TIER_ID="pos">{annotation}</TIER>'))
    assert read_words(path) == read_words(path, speaker="Anna") == WORDS
    with pytest.raises(ValueError, match="tier 'pos' holds annotations that refer to another tier"):
        read_words(path, tier="pos")
    untimed = elan(TRIPLES).replace(' TIME_VALUE="250"', "", 1)
    with pytest.raises(ValueError, match="annotation 'a0': the word 'the' has no end time"):
        read_words(save(tmp_path, "b.eaf", untimed))
