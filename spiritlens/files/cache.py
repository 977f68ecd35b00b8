"""Where caches lie: folders that can be deleted at any time, one per kind of content."""

import os
import sys
from pathlib import Path


def cache_folder(name: str) -> Path:
    """The folder of one cache, not created: below ``$SPIRITLENS_CACHE`` or the user's cache folder of this system."""
    if "SPIRITLENS_CACHE" in os.environ:
        return Path(os.environ["SPIRITLENS_CACHE"]) / name
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "spiritlens" / name
