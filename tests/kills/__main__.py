"""`python tests/kills [KILLS] [CHANGES]`: kill traces at random moments and before every change of a file, or before so
many of them; resume, compare."""

import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

from killing import report

if __name__ == "__main__":
    kills, *changes = map(int, sys.argv[1:] or ["150"])
    sys.exit(report(kills, *changes))
