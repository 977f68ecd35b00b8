"""Files of words with times. A format is known by what a file holds, not by its ending; each has a module of its own.

TextGrid (`textgrids`), CTM and lines of start, end, label (`lines`), SRT and WebVTT (`cues`), ELAN (`elan`), tables
(`tables`) and transcripts in JSON (`transcripts`). They are read by own code of a page each, with nothing to install:
praatio refuses TextGrids that Praat reads (see `textgrids`), webvtt-py leaves the stamps within a cue to be parsed,
pympi-ling would serve for one of the formats, and lhotse brings far more than a reader. Files of praatio, pympi-ling,
webvtt-py, srt, textgrid, tgt and Praat itself were read alike. A new format is one more row of `FORMATS`.
"""

from pathlib import Path

from spiritlens.arguments import shown
from spiritlens.speech.word_files import cues, elan, lines, tables, textgrids, transcripts
from spiritlens.speech.word_files.labels import Labels, WordFormat

FORMATS = (
    WordFormat("TextGrid", (".textgrid",), textgrids.recognises, textgrids.read),
    WordFormat("ELAN", (".eaf",), elan.recognises, elan.read),
    WordFormat("JSON", (".json",), transcripts.recognises, transcripts.read),
    WordFormat("SRT or WebVTT", (".srt", ".vtt"), cues.recognises, cues.read),
    WordFormat("CSV or TSV with the columns word, start, end", (".csv", ".tsv"), tables.recognises, tables.read),
    WordFormat("CTM", (".ctm",), lines.recognises_ctm, lines.read_ctm),
    WordFormat(
        "lines of start, end, label (Audacity, HTK)", (".lab", ".txt"), lines.recognises_spans, lines.read_spans
    ),
)
"""In the order in which their content is looked for."""

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
AUDIO = (b"RIFF", b"OggS", b"fLaC", b"ID3", b"FORM")


def labels_of_file(path: Path) -> Labels:
    """The labels of a file of any of the formats."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OSError(f"it cannot be read ({error.strerror}).") from None
    if data.startswith(AUDIO):
        raise ValueError("it is audio; give the file of its words.")
    if data.startswith(textgrids.BINARY):
        return textgrids.read_binary(data)
    text = decoded(data)
    return format_of(text, path).read(text)


def format_of(text: str, path: Path) -> WordFormat:
    """The format that a text is of; where its content shows none, the one that its ending promises."""
    for one in FORMATS:
        if one.recognises(text):
            return one
    for one in FORMATS:
        if path.suffix.lower() in one.endings and path.suffix.lower() != ".txt":
            return one
    named = "; ".join(f"{one.name} ({', '.join(one.endings)})" for one in FORMATS)
    raise ValueError(f"it begins with {shown(text[:40])}, which is no file of words with times. Read are: {named}.")


def decoded(data: bytes) -> str:
    """The text of UTF-8, or of UTF-16 with its mark."""
    try:
        text = data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError("it is neither UTF-8 nor UTF-16 with its mark; save it as UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n")
