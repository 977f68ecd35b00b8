"""The spoken parts of a prompt: stretches of units with a clock of their own, and the one whose sound the prompt keeps.

A prompt keeps one waveform, that of one segment. Where it has several spoken parts (solved spoken examples before the
question, two recordings) the sound is that of the part that lasts as long. A part made of some words of a recording
(`SpeechSegment.part`) has the sound of these words alone cut out of it.
"""

import math
from dataclasses import dataclass

from spiritlens.prompts.building.segments import FRAMES_LOST
from spiritlens.prompts.prompt import Prompt
from spiritlens.speech.audio.waveform import Waveform


@dataclass(frozen=True, eq=False)
class SpokenPart:
    """The part of a prompt that its sound is of.

    `units` are its positions, `words` its words within ``prompt.words`` and `subject` the subject's among these (empty
    where the subject is not said in it); `waveform` is its sound, from `offset` seconds of the tokens' times on.
    """

    units: tuple[int, ...]
    words: range
    subject: range
    waveform: Waveform
    offset: float


def spoken_segments(prompt: Prompt) -> list[list[int]]:
    """Positions of the units of each spoken segment; one ends where text comes between or the time begins anew."""
    segments: list[list[int]] = []
    previous = -1
    for place in (place for place, family in enumerate(prompt.families) if family == "unit"):
        between = prompt.modalities[previous + 1 : place]
        if not segments or prompt.starts[place] < prompt.starts[previous] or set(between) - {"speech"}:
            segments.append([])
        segments[-1].append(place)
        previous = place
    return segments


def spoken_part(prompt: Prompt) -> SpokenPart:
    """The part whose sound the prompt keeps; ValueError says why there is none."""
    segments = spoken_segments(prompt)
    if not segments:
        raise ValueError("it has no spoken part: make one by lens.speak(...) or lens.audio(...)")
    sound = prompt.waveform
    if sound is None:
        raise ValueError(
            "it has units but no sound: give waveform= to its SpeechSegment, or to Prompt.from_dict where it is read "
            "from a table"
        )
    sounding = [units for units in segments if abs(prompt.ends[units[-1]] - sound.duration) <= FRAMES_LOST]
    candidates = segments if len(segments) == 1 else sounding
    if len(candidates) != 1:
        raise ValueError(
            f"it has {len(segments)} spoken parts and the sound of one, which may be any of {len(sounding)}"
        )
    units = candidates[0]
    words = _words(prompt, units)
    if not words:
        raise ValueError("no words are known of its spoken part: give them with their times")
    waveform, offset = _sound(prompt, units, sound)
    return SpokenPart(tuple(units), words, _subject(prompt, words), waveform, offset)


def _words(prompt: Prompt, units: list[int]) -> range:
    """The words said in a part, those without a unit among them, as far as they are not another part's."""
    before = [place for place in range(units[0]) if prompt.word_index[place] >= 0]
    later = [index for index in prompt.word_index[units[-1] + 1 :] if index >= 0]
    own = [prompt.word_index[place] for place in units if prompt.word_index[place] >= 0]
    end = min(later, default=len(prompt.words))
    if before and prompt.modalities[before[-1]] == "speech":  # a word without units joins the one before
        return range(min(own, default=end), end)
    return range(max((prompt.word_index[place] for place in before), default=-1) + 1, end)


def _subject(prompt: Prompt, words: range) -> range:
    """The words of the subject: the run of this name that holds the words of its tokens."""
    own = {prompt.word_index[place] for place in prompt.subject.positions} - {-1}
    if not own or not own <= set(words):
        return range(0)
    for first in range(min(own), words.start - 1, -1):
        for end in range(max(own) + 1, words.stop + 1):
            if " ".join(prompt.words[first:end]) == prompt.subject.name:
                return range(first, end)
    return range(min(own), max(own) + 1)


def _sound(prompt: Prompt, units: list[int], waveform: Waveform) -> tuple[Waveform, float]:
    """The sound of the units alone where they are clearly less than all of it, and the second at which it begins."""
    start, end = prompt.starts[units[0]], prompt.ends[units[-1]]
    if math.isnan(start) or math.isnan(end):
        return waveform, 0.0
    first = start if start > FRAMES_LOST else 0.0
    last = end if waveform.duration - end > FRAMES_LOST else waveform.duration
    if first >= last or (first == 0.0 and last == waveform.duration):
        return waveform, 0.0
    return waveform.slice(first, last), first
