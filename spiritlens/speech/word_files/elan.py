"""ELAN's ``.eaf``: XML with time slots in milliseconds and tiers of annotations between two slots.

Annotations are put in order of time, since a file may hold them in any. A tier whose annotations refer to another
tier's has no times of its own. A slot without a time leaves its word without one. ``PARTICIPANT`` names the speaker.
"""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from decimal import Decimal

from spiritlens.speech.word_files.labels import Labels, TimedLabel
from spiritlens.speech.word_files.textgrids import tiers_of

REFERRING = "annotations that refer to another tier, without times of their own"


def recognises(text: str) -> bool:
    """Whether it is XML."""
    return text.lstrip().startswith("<")


def read(text: str) -> Labels:
    """The annotations of all tiers."""
    try:
        root = ElementTree.fromstring(text.lstrip().encode("utf-8").replace(b"UTF-16", b"UTF-8", 1))
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"it is no complete XML ({error}); save it in ELAN again.") from None
    if root.tag != "ANNOTATION_DOCUMENT":
        raise ValueError(f"XML of <{root.tag}>, not an ELAN document; of XML only ELAN's .eaf is read.")
    slots = {slot.get("TIME_SLOT_ID", ""): _seconds(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")}
    return tiers_of([(tier.get("TIER_ID", ""), _annotations(tier, slots)) for tier in root.iter("TIER")], REFERRING)


def _seconds(milliseconds: str | None) -> float | None:
    if milliseconds is None:
        return None
    if not milliseconds.strip().isdigit():
        raise ValueError(f"the time slot {milliseconds!r} is no whole number of milliseconds.")
    return float(Decimal(milliseconds.strip()) / 1000)


def _annotations(tier: ElementTree.Element, slots: dict[str, float | None]) -> list[TimedLabel] | None:
    if tier.find(".//REF_ANNOTATION") is not None:
        return None
    labels = []
    for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
        name = annotation.get("ANNOTATION_ID", "")
        ends = [annotation.get(key, "") for key in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")]
        if missing := [slot for slot in ends if slot not in slots]:
            raise ValueError(f"annotation {name!r} refers to the time slot {missing[0]!r}, which is not there.")
        text = annotation.findtext("ANNOTATION_VALUE") or ""
        labels.append(TimedLabel(text, slots[ends[0]], slots[ends[1]], f"annotation {name!r}"))
    timed = [label for label in labels if label.start is not None]
    if len(timed) == len(labels):
        labels.sort(key=lambda label: label.start or 0.0)
    return [replace(label, speaker=tier.get("PARTICIPANT", "")) for label in labels]
