"""Writes the known numbers of methods that have none yet; numbers once written stay.

    git worktree add ../before 8230486
    PYTHONPATH=../before:tests python tests/numbers/write_numbers.py

The first numbers come from commit 8230486, the last one before the house was drawn anew.
"""

import json
from pathlib import Path

from method_calls import BENCHES, METHODS, exact_normals, known_rows
from sketches import arrays_of, sketch

NUMBERS = Path(__file__).parent / "numbers.json"


def main() -> None:
    known = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    with exact_normals():
        benches = {name: make() for name, make in BENCHES.items()}
        for bench, name in known_rows():
            if (title := f"{bench}: {name}") not in known:
                arrays = arrays_of(METHODS[name](benches[bench]))
                known[title] = {key: sketch(array) for key, array in arrays.items()}
    lines = [f"{json.dumps(title)}: {json.dumps(found)}" for title, found in known.items()]
    NUMBERS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
