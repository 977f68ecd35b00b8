"""What lies in the bytes of an audio file: the parts that a decoder reads in turn, and what is left over."""

from collections.abc import Sequence
from dataclasses import dataclass


class AudioError(ValueError):
    """Audio that cannot be used; the message names the source, what is wrong, and the remedy."""


@dataclass(frozen=True)
class SoundPart:
    """Bytes that libsndfile decodes to their end.

    `n_samples` is their stated length where libsndfile does not give it, `padding` how many samples beyond it may be
    filler of a last coded block, `skip` how many samples of silence the decoder gives before the first.
    """

    data: bytes
    n_samples: int | None = None
    padding: int = 0
    skip: int = 0


@dataclass(frozen=True)
class Contents:
    """`parts` in order; `remainder` says what else is there or was promised; `problem` why nothing is to be read."""

    parts: tuple[SoundPart, ...]
    remainder: str = ""
    problem: str = ""

    @classmethod
    def of(cls, data: bytes) -> "Contents":
        """One part that is all there is."""
        return cls((SoundPart(data),))

    @classmethod
    def refused(cls, problem: str) -> "Contents":
        """Nothing to read: `problem` says what is wrong, and the remedy ("is empty ...")."""
        return cls((), problem=problem)

    @classmethod
    def joined(cls, contents: Sequence["Contents"]) -> "Contents":
        """Several after one another; a problem of one is a problem of all."""
        if len(contents) == 1:
            return contents[0]
        for number, one in enumerate(contents, 1):
            if one.problem:
                return cls.refused(f"holds {len(contents)} recordings, of which number {number} {one.problem}")
        remark = "; ".join(one.remainder for one in contents if one.remainder)
        return cls(tuple(part for one in contents for part in one.parts), remark)
