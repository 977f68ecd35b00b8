"""Synthetic results (from the effects tests) stand for traces where only what is made of them is tried."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "effects"))
