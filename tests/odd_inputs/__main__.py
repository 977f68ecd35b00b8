"""`python tests/odd_inputs [AREA …]`: give every odd input, print what is not good and the counts by area."""

import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "speech"))
sys.path.insert(0, str(Path(__file__).parent))

from areas import AREAS
from frame import main

if __name__ == "__main__":
    sys.exit(main(AREAS, sys.argv[1:]))
