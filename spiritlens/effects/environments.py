"""Which versions of packages wrote the parts of a run directory, and what to do where they are others now.

``environment.json`` lists every environment that wrote parts, oldest first, and each part names its own.
"""

import contextlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from spiritlens.warn import warn

PACKAGES = (
    "spiritlens",
    "torch",
    "transformer-lens",
    "transformers",
    "numpy",
    "xarray",
    "soundfile",
    "espeakng-loader",
)
"""Packages whose versions are written to environment.json."""


def environment() -> dict[str, Any]:
    """Python, platform and installed package versions (read from their metadata; nothing is imported)."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {package: version(package) for package in PACKAGES},
    }


def version(package: str) -> str:
    """The installed version of a package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def read_environments(path: Path) -> list[dict[str, Any]]:
    """What environment.json holds; version 0.1 kept one alone. A damaged one begins anew: no number depends on it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def environment_of(part: Mapping[str, Any]) -> dict[str, Any]:
    """The environment that a part's attributes name as the one that made it; versions before 0.4 named none."""
    with contextlib.suppress(ValueError):
        found = json.loads(str(part.get("environment", "")))
        if isinstance(found, dict):
            return found
    return {}


def versions_of(found: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The versions of each package in these environments, each once, in their order."""
    versions: dict[str, list[str]] = {}
    for one in found:
        there = one.get("packages")
        for package, number in (there if isinstance(there, dict) else {}).items():
            if str(number) not in versions.setdefault(package, []):
                versions[package].append(str(number))
    return versions


def check_versions(folder: Path, found: Iterable[Mapping[str, Any]], *, accept: bool) -> None:
    """Before a folder gets new parts: refuse, or where it is accepted name, versions other than those of its parts."""
    here = environment()["packages"]
    unlike = {
        package: [number for number in there if number != here.get(package, number)]
        for package, there in versions_of(found).items()
    }
    lines = [
        f"{package} {' and '.join(there)} there, {here[package]} here" for package, there in unlike.items() if there
    ]
    if not lines:
        return
    told = f"{folder} holds parts that other versions of packages made ({'; '.join(lines)})"
    if not accept:
        raise ValueError(
            f"{told}: to go on with both, give --accept-versions, in Python "
            f"folder=sl.effects.RunFolder({str(folder)!r}, accept_versions=True); or install those versions again"
        )
    warn(f"{told}; new parts are added to them, as accepted")


def tell_mixed(folder: Path, found: Iterable[Mapping[str, Any]]) -> None:
    """Where runs were brought together: name the packages of which several versions made the parts."""
    mixed = {package: there for package, there in versions_of(found).items() if len(there) > 1}
    if mixed:
        lines = [f"{package} {' and '.join(there)}" for package, there in mixed.items()]
        warn(f"{folder} now holds parts that different versions of packages made ({'; '.join(lines)}); they are merged")
