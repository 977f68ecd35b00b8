#!/bin/sh
# jiwer 4.0.0: words are parted at plain blanks alone, so a tab, a line break or a no-break blank in a transcript makes
# errors of words that are right; and the "rate" against an empty reference is a count.
#
# The default transforms reduce runs of blanks (\s\s+ to one blank) and then split at " ". One line break between two words,
# as transcripts of several lines have, joins them to one word: wer("the cat sat", "the cat\nsat") is 0.67, where all
# three words are right. Against an empty reference process_words gives the number of words heard, as if it were a rate;
# its docstring says that it raises ValueError. Remedy: part the words oneself, join them by one blank, and ask for no rate
# where nothing was said.
# Seen: blank 0.0, line break 0.667, tab 0.667, no-break blank 0.667; empty reference 3.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jiwer==4.0.0 rapidfuzz==3.14.6 click==8.5.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import jiwer

rates = {name: jiwer.wer("the cat sat", f"the cat{sign}sat") for name, sign in (("blank", " "), ("line break", "\n"), ("tab", "\t"), ("no-break blank", "\u00a0"))}
empty = jiwer.process_words("", "the cat sat").wer
print(", ".join(f"{name} {rate:.3f}" for name, rate in rates.items()), "; empty reference", empty)
assert rates.pop("blank") == 0, "words that are right are wrong now"
assert all(abs(rate - 2 / 3) < 1e-9 for rate in rates.values()), "another blank parts words now"
assert empty == 3, "an empty reference gives no count any more"
assert "ValueError: If one or more references are empty strings" in jiwer.process_words.__doc__, "the docstring says otherwise now"
PYTHON
