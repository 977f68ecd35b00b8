"""How much room a text takes, by estimate, and texts made to fit: broken at their blanks and dots, or cut.

No font is read: letters fall into three widths, of a wide sans serif (DejaVu Sans), so that other fonts need less.
Units: pixels of 1/96 in; a point is 4/3 of a pixel.
"""

import html
import re

POINT = 96 / 72
SMALL, TEXT = 7 * POINT, 8 * POINT
"""Sizes of fonts: of ticks, legends and labels; of titles of panels and axes."""
LINE_HEIGHT = 1.3
BOLD = 1.12
"""How much wider bold letters are."""
BREAK = re.compile(r"<br ?/?>")
AROUND = re.compile(r"((?:<[^/>]+>)*)(.*?)((?:</[^>]+>)*)", re.DOTALL)
"""Tags that open a line, what they hold, tags that close it."""
NARROW, WIDE = "iIljtfr.,:;|!'()[]{} -·’‘", "mwMW%@−—…→÷×"


def width_of(text: str, size: float) -> float:
    """Pixels of the longest line of a text with markup."""
    pairs = zip(plain_lines(text), BREAK.split(text), strict=True)
    return max(sum(map(_em, line)) * (BOLD if "<b>" in given else 1.0) for line, given in pairs) * size


def height_of(text: str, size: float) -> float:
    """Pixels of all lines; none for no text."""
    return len(plain_lines(text)) * LINE_HEIGHT * size if text else 0.0


def plain_lines(text: str) -> list[str]:
    """The lines of a text with markup, without it."""
    return [html.unescape(re.sub(r"<[^>]+>", "", line)) for line in BREAK.split(text)]


def wrapped(text: str, size: float, room: float) -> str:
    """The text in lines no wider than the room, where its words allow it; before a dot sooner than at a blank."""
    lines: list[str] = []
    for given in BREAK.split(text):
        line = ""
        for piece in re.split(r"(?= · )", given):
            joined = line + piece
            if line and width_of(joined, size) > room:
                lines += _at_blanks(line, size, room)
                line = piece.removeprefix(" · ")
            else:
                line = joined
        lines += _at_blanks(line, size, room)
    return "<br>".join(lines)


def _at_blanks(line: str, size: float, room: float) -> list[str]:
    """A line broken at its blanks, each piece with the tags around the whole; one with others within stays whole."""
    opening, within, closing = AROUND.fullmatch(line).groups()  # type: ignore[union-attr]  # it matches every line
    if width_of(line, size) <= room or "<" in within:
        return [line]
    lines = [""]
    for word in within.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        lines = [*lines[:-1], longer] if width_of(longer, size) <= room else [*lines, word]
    return [f"{opening}{one}{closing}" for one in lines if one]


def shortened(text: str, size: float, room: float) -> str:
    """A label in one line that fits: its end is cut, and its markup with it; "" where nothing would be left."""
    if width_of(text, size) <= room:
        return text
    letters = " ".join(plain_lines(text))
    while letters and width_of(f"{html.escape(letters)}…", size) > room:
        letters = letters[:-1]
    return f"{html.escape(letters.rstrip())}…" if len(letters) > 1 else ""


def _em(letter: str) -> float:
    """Width of a letter in units of the font's size."""
    if letter in NARROW:
        return 0.42
    if letter in WIDE or ord(letter) > 0x2E80:
        return 1.0
    return 0.72 if letter.isupper() else 0.63
