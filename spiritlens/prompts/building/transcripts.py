"""Transcripts of spoken questions: some models write one of their own before they answer.

SpeechGPT's chain-of-modality model, USDM, AnyGPT and Spire continue a spoken question with what was said. The token
after the question is then the transcript's first word, and no measure of the answer. A *forced* transcript puts the
words that were spoken in its place: the model reads them as its own, and the answer comes next. The subject then stands
in the prompt twice, heard and written, and a method that disturbs what was heard leaves the written one alone.
"""

from collections.abc import Sequence

from spiritlens.prompts.building.segments import Segment, SpeechSegment
from spiritlens.prompts.vocabulary.family import Family
from spiritlens.warn import warn


def spoken_text(family: Family, segments: Sequence[Segment]) -> str:
    """What the spoken segments say, as their texts or else their words have it.

    Raises ValueError where the family has no place for a transcript, or where nothing is known of what was said.
    """
    if family.transcript_turn is None:
        raise ValueError(
            f"transcript='forced': family '{family.name}' writes no transcript of a spoken prompt; use "
            "transcript='none', or a family with transcript_turn="
        )
    heard = [segment for segment in segments if isinstance(segment, SpeechSegment)]
    said = [segment.text or " ".join(word.word for word in segment.words) for segment in heard]
    if not heard or not all(text.strip() for text in said):
        why = "the prompt has no speech" if not heard else "what was said is not known; give it as text= or words="
        raise ValueError(f"transcript='forced': {why}")
    return " ".join(text.strip() for text in said)


def warn_of_transcript(family: Family) -> None:
    """Say that the next token is no answer, where the family's models write a transcript first."""
    if family.answers == "after_transcript":
        warn(
            f"family '{family.name}' answers a spoken prompt with a transcript first: the next token is no answer. "
            "transcript='forced' writes what was said in its place, so that the answer comes next"
        )
