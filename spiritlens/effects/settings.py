"""How two sets of settings differ, in words for an error."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

SHORT = 8
"""Lists and mappings with at most so many differing values are told value by value."""


def setting_differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Settings that differ, in words: by their names within mappings (and JSON texts of mappings), lists by counts."""
    lines = []
    for name in sorted({*found, *wanted}):
        there, here = (_decoded(settings.get(name, "not set")) for settings in (found, wanted))
        texts = [json.dumps(value, sort_keys=True) for value in (there, here)]  # NaN as NaN, 1 not 1.0
        if texts[0] == texts[1]:
            continue
        if isinstance(there, dict) and isinstance(here, dict):
            lines += _few([f"{name}.{line}" for line in setting_differences(there, here)])
        elif isinstance(there, list) and isinstance(here, list) and max(len(there), len(here)) > SHORT:
            lines.append(f"{name}: {_list_difference(there, here)}")
        else:
            lines.append(f"{name}: {there!r} there, {here!r} here")
    return lines


def _decoded(value: Any) -> Any:
    """The mapping of a JSON text, such as `config_json`; any other value as it is."""
    if isinstance(value, str) and value.startswith("{"):
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(value)
    return value


def _few(lines: list[str]) -> list[str]:
    """The differences within one setting; of more than SHORT (all layers of a window) the first and their number."""
    return lines if len(lines) <= SHORT else [f"{lines[0]}, and {len(lines) - 1} more beside it"]


def _list_difference(there: list[Any], here: list[Any]) -> str:
    """How many entries two lists have and do not share."""
    gone, new = (sum(value not in other for value in one) for one, other in ((there, here), (here, there)))
    order = "; the same in another order" if not gone and not new and len(there) == len(here) else ""
    return f"{len(there)} there, {len(here)} here, {gone} only there, {new} only here{order}"
