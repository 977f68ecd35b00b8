#!/bin/sh
# praatio 6.2.2: TextGrids that Praat opens are refused, one of them in its long form only.
#
# 1. A time in scientific notation ("xmin = 5e-1", which aligners write for values near 0) gives
#    "ParsingError: Expected field in Textgrid missing." The same number in a short TextGrid is read.
#    The message names a missing field, and none is missing.
# 2. Praat's own binary form ("ooBinaryFile") gives a UnicodeDecodeError, and its chronological text form a
#    "ValueError: could not convert string to float". Neither is named as a form that is not read.
# The files are written and opened by parselmouth 0.4.7 (Praat's own code); in 1 the number is then put in by hand.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check praatio==6.2.2 praat-parselmouth==0.4.7
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import parselmouth
from parselmouth.praat import call
from praatio import textgrid

grid = call("Create TextGrid", 0.0, 1.0, "words", "")
call(grid, "Insert boundary", 1, 0.5)
call(grid, "Set interval text", 1, 1, "the")
call(grid, "Set interval text", 1, 2, "cat")
call(grid, "Save as text file", "long.TextGrid")
call(grid, "Save as short text file", "short.TextGrid")
call(grid, "Save as binary file", "binary.TextGrid")
call(grid, "Save as chronological text file", "chronological.TextGrid")
for name in ("long", "short"):
    text = open(f"{name}.TextGrid", encoding="utf-8").read()
    open(f"{name}_tiny.TextGrid", "w", encoding="utf-8").write(text.replace("0.5", "5e-1"))


def by_praatio(name):
    try:
        entries = textgrid.openTextgrid(f"{name}.TextGrid", False).getTier("words").entries
        return [(entry.start, entry.end, entry.label) for entry in entries]
    except Exception as error:
        return f"{type(error).__name__}: {error}"


names = ("long", "short", "long_tiny", "short_tiny", "binary", "chronological")
found = {name: by_praatio(name) for name in names}
for name, said in found.items():
    opened = parselmouth.Data.read(f"{name}.TextGrid")
    print(f"{name:14} Praat: {opened.class_name}, boundary at {call(opened, 'Get end time of interval', 1, 1)}; praatio: {said}")
whole = [(0.0, 0.5, "the"), (0.5, 1.0, "cat")]
assert found["long"] == found["short"] == found["short_tiny"] == whole, "the ordinary files are read otherwise now"
assert str(found["long_tiny"]).startswith("ParsingError"), "scientific notation in the long form is read now"
assert str(found["binary"]).startswith("UnicodeDecodeError"), "the binary form is told otherwise now"
assert str(found["chronological"]).startswith("ValueError"), "the chronological form is told otherwise now"
PYTHON
