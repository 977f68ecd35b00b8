"""Files of one label a line: NIST's CTM, and start, end, label as Audacity, HTK and ``spiritlens align`` write them.

CTM is ``recording channel start duration word [confidence …]``; a line of ``;;`` is a comment. Kaldi's and MFA's word
tables are of this form, the recording being the utterance. Where start and duration are rounded, an end may pass the
next start: by up to 10 ms (two decimals each) the word ends where the next one starts.

The other form is ``start end label``, the label being the rest of the line. Times that are whole numbers, and reach
10 000, are HTK's (units of 100 ns, one label and its score); all others are seconds. Where HTK's would end before a
tenth of a second they are another unit's, such as TIMIT's samples, and refused. Audacity's lines of frequencies (a
backslash) are passed over.
"""

import itertools
import re
from dataclasses import replace
from decimal import Decimal

from spiritlens.arguments import shown
from spiritlens.speech.word_files.labels import NUMBER, Labels, TimedLabel

HTK_UNITS = Decimal(10_000_000)
"""HTK's units of time in a second."""

BLANKS = re.compile(r"[ \t]+")
LEAST_HTK_END = 10_000
LEAST_HTK_SOUND = 1_000_000
"""A tenth of a second: a file of labels that ends before it counts samples or milliseconds."""
CTM_ROUNDING = 0.01 + 1e-6


def recognises_ctm(text: str) -> bool:
    """Whether the first line is ``recording channel start duration word``, or a table of such lines without words."""
    return _is_ctm(_first_line(text, ";;"))


def read_ctm(text: str) -> Labels:
    """The words of all recordings and channels of a CTM."""
    labels = []
    for place, line in enumerate(text.split("\n"), 1):
        fields = _fields(line)
        if not fields or fields[0].startswith(";;"):
            continue
        if fields[0] == "SPEAKER":
            raise ValueError(f"line {place} is RTTM's, which says who speaks but no words; give a CTM of words.")
        if any("ALT" in field and field.startswith("<") for field in fields[2:]):
            raise ValueError(f"line {place}: it holds alternatives ({shown(line)}); choose one and remove the others.")
        if len(fields) < 5:
            raise ValueError(
                f"line {place}: {shown(line)} has no word (a table of Kaldi's segments?); expected recording, channel, "
                "start, duration, word."
            )
        if not (NUMBER.fullmatch(fields[2]) and NUMBER.fullmatch(fields[3])):
            raise ValueError(f"line {place}: {shown(line)}; expected recording, channel, start, duration, word.")
        start, length = Decimal(fields[2]), Decimal(fields[3])
        labels.append(
            TimedLabel(fields[4], float(start), float(start + length), f"line {place}", "", "", fields[1], fields[0])
        )
    return Labels(tuple(_within_rounding(labels)))


def _within_rounding(labels: list[TimedLabel]) -> list[TimedLabel]:
    """Ends that pass the next start of the same recording and channel by rounding alone are put there."""
    cut = list(labels)
    for index, (label, after) in enumerate(itertools.pairwise(labels)):
        same = (label.recording, label.channel) == (after.recording, after.channel)
        if same and label.end is not None and label.start is not None and after.start is not None:
            passed = 1e-6 < label.end - after.start <= CTM_ROUNDING
            if passed and label.start < after.start:
                cut[index] = replace(label, end=after.start)
    return cut


def recognises_spans(text: str) -> bool:
    """Whether the first line is ``start end label``."""
    fields = _fields(_first_line(text, "\\"), 2)
    return len(fields) >= 2 and all(NUMBER.fullmatch(field) for field in fields[:2])


def read_spans(text: str) -> Labels:
    """Labels of Audacity, HTK or ``spiritlens align``."""
    rows = []
    for place, line in enumerate(text.split("\n"), 1):
        fields = _fields(line, 2)
        if not fields or fields[0] == "\\":
            continue
        if len(fields) < 2 or not all(NUMBER.fullmatch(field) for field in fields[:2]):
            raise ValueError(f"line {place}: {shown(line)}; expected start, end, label (in HTK's or Audacity's form).")
        label = fields[2].strip() if len(fields) == 3 else ""
        if fields[0] == fields[1] and label:
            raise ValueError(f"line {place}: {shown(label)} is a point, which has no end; label a stretch of sound.")
        rows.append((fields[0], fields[1], label, f"line {place}"))
    whole = all((start + end).isdigit() for start, end, _, _ in rows)
    last = max((int(end) for _, end, _, _ in rows), default=0) if whole else 0
    htk = last >= LEAST_HTK_END
    if htk and last < LEAST_HTK_SOUND:
        raise ValueError(
            f"its times are whole numbers up to {last}: too small for HTK's units of 100 ns, too large for seconds; "
            "divide samples (TIMIT's .wrd) by their rate, milliseconds by 1000."
        )
    scale = HTK_UNITS if htk else Decimal(1)
    return Labels(
        tuple(
            TimedLabel(
                _htk_label(label, place) if htk else label,
                float(Decimal(start) / scale),
                float(Decimal(end) / scale),
                place,
            )
            for start, end, label, place in rows
        )
    )


def _htk_label(label: str, place: str) -> str:
    """HTK's label without the score that may follow it; refuse a second one (a phone's word)."""
    name, *rest = label.split() or [""]
    if rest and not (len(rest) == 1 and NUMBER.fullmatch(rest[0])):
        raise ValueError(
            f"{place}: {shown(label)} is more than HTK's label and its score: which of them is the word is not said; "
            "write one label a line."
        )
    return name


def _is_ctm(line: str) -> bool:
    fields = _fields(line)
    if len(line.split("\t")) == 3:  # Audacity's, whatever its label
        return False
    timed = len(fields) >= 4 and all(NUMBER.fullmatch(field) for field in fields[2:4])
    return timed and (len(fields) >= 5 or not NUMBER.fullmatch(fields[0]))


def _fields(line: str, most_cuts: int = 0) -> list[str]:
    """The fields between blanks and tabs; other spaces belong to a word."""
    line = line.strip(" \t")
    return BLANKS.split(line, most_cuts) if line else []


def _first_line(text: str, comment: str) -> str:
    lines = (line for line in text.split("\n") if line.strip() and not line.lstrip().startswith(comment))
    return next(lines, "")
