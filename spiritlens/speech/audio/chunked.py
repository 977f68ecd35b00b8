"""Containers made of chunks (name, size, content): WAV, RF64, W64, AIFF, 8SVX, CAF; and those of one header: AU, NIST.

Each states how many bytes its samples take; `chunked_contents` compares that with the bytes that are there. A size that
its writer never filled in (0 or near the field's largest value) means that the samples go on to the end of the file;
it is filled in. Bytes after the end are another file of the same kind, further chunks, zeros, or a stated remainder.

Layouts: RIFF and WAVE (Microsoft, 1991), EBU Tech 3306 (RF64), Sonic Foundry's Wave 64, AIFF (Apple, 1989), Core Audio
Format (Apple), NIST SPHERE.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from spiritlens.speech.audio.contents import Contents, SoundPart

LEAST_UNKNOWN_SIZE = 0x7FFF0000
"""Sizes from here on, and 0, are what streaming writers leave in a 32-bit field because they cannot seek back."""
SLACK = 9
"""Bytes by which an outer size may be too long without a word: writers put the file's size, and leave out a pad."""
LONGEST_BLOCK = 480
"""Samples of the last coded block that may be filler, where the header does not state a block's samples."""
SizesOf = Callable[[bytes], tuple[int, int | None]]


@dataclass(frozen=True)
class ChunkLayout:
    """How a container of chunks is laid out; sizes in bytes."""

    magic: bytes
    first: int
    name_size: int
    size_size: int
    order: Literal["little", "big"]
    samples: tuple[bytes, ...]
    align: int = 2
    counts_header: bool = False
    """Whether a chunk's size counts its name and size too."""
    reads_on: bool = False
    """Whether libsndfile reads what follows the samples as samples."""

    @property
    def header(self) -> int:
        """Bytes before a chunk's content."""
        return self.name_size + self.size_size


W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
LAYOUTS = (
    ChunkLayout(b"RIFF", 12, 4, 4, "little", (b"data",)),
    ChunkLayout(b"RIFX", 12, 4, 4, "big", (b"data",)),
    ChunkLayout(b"RF64", 12, 4, 4, "little", (b"data",)),
    ChunkLayout(b"BW64", 12, 4, 4, "little", (b"data",)),
    ChunkLayout(b"riff", 40, 16, 8, "little", (b"data" + W64_TAIL,), 8, counts_header=True, reads_on=True),
    ChunkLayout(b"FORM", 12, 4, 4, "big", (b"BODY",), reads_on=True),  # 8SVX
    ChunkLayout(b"FORM", 12, 4, 4, "big", (b"SSND",)),
    ChunkLayout(b"caff", 8, 4, 8, "big", (b"data",), 1),
)


@dataclass(frozen=True)
class Chunk:
    """One chunk: its name, where its content starts, the size it states."""

    name: bytes
    start: int
    size: int


def chunked_contents(data: bytes) -> Contents | None:
    """The contents of a container of this module's kinds; None for any other."""
    if data[:4] == b".snd":
        return _headed(data, _au_sizes, b".snd")
    if data[:7] == b"NIST_1A":
        return _headed(data, _nist_sizes, b"NIST_1A")
    layout = next((layout for layout in LAYOUTS if _is_of(data, layout)), None)
    if layout is None:
        return None
    starts = [0, *_joined(data, layout), len(data)]
    found = [_one(data if len(starts) == 2 else data[start:end], layout) for start, end in pairwise(starts)]
    return Contents.joined(found)


def _is_of(data: bytes, layout: ChunkLayout) -> bool:
    vector = data[8:12] in (b"8SVX", b"16SV")
    return data.startswith(layout.magic) and (layout.magic != b"FORM" or vector == (layout.samples == (b"BODY",)))


def _joined(data: bytes, layout: ChunkLayout) -> list[int]:
    """Where further files of the same kind begin, put behind the first without being counted in it."""
    found: list[int] = []
    start = 0
    while True:
        end = max((chunk.start + chunk.size for chunk in _chunks(data, layout, start)), default=0)
        after = next((place for place in (end, end + end % 2) if data[place : place + 4] == layout.magic), 0)
        if not 0 < after <= len(data) - layout.first:
            return found
        found.append(after)
        start = after


def _chunks(data: bytes, layout: ChunkLayout, begin: int = 0) -> Iterator[Chunk]:
    """The chunks from a header at `begin` on, up to the next header, to what is no chunk, or to the end."""
    place, long_size = begin + layout.first, 0
    while place + layout.header <= len(data):
        name = data[place : place + layout.name_size]
        if not name[:4].isascii() or not name[:4].decode().isprintable() or name[:4] == layout.magic:
            return
        size = int.from_bytes(data[place + layout.name_size : place + layout.header], layout.order)
        size -= layout.header if layout.counts_header else 0
        start = place + layout.header
        if name == b"ds64":
            long_size = int.from_bytes(data[start + 8 : start + 16], "little")
        if name == b"data" and layout.magic in (b"RF64", b"BW64") and size == 0xFFFFFFFF and long_size:
            size = long_size
        yield Chunk(name, start, size)
        if size < 0 or start + size > len(data):
            return
        end = start + size
        place = end + -(end - begin) % layout.align
        if (
            layout.align == 2
            and place > end
            and not data[place : place + 4].isalnum()
            and data[end : end + 4].isalnum()
        ):
            place = end  # the pad byte is left out


def _one(data: bytes, layout: ChunkLayout) -> Contents:
    chunks = list(_chunks(data, layout))
    samples = next((chunk for chunk in chunks if chunk.name in layout.samples), None)
    if samples is None:
        if chunks and chunks[-1].start + chunks[-1].size > len(data):
            return Contents.refused(_truncated(chunks[-1], data))
        return Contents.of(data)  # libsndfile says what is missing
    if _size_is_open(samples, chunks, layout, len(data)):
        return _filled_in(data, samples, layout)
    if samples.start + samples.size > len(data):
        return Contents.refused(_truncated(samples, data))
    sound = data[: samples.start + samples.size] if layout.reads_on else data
    part = _wav_part(data, chunks) if layout.magic == b"RIFF" else SoundPart(sound)
    remark = _remainder(data, layout, chunks) or (
        _aiff_difference(data, chunks, samples) if layout.magic == b"FORM" else ""
    )
    return Contents((part,), remark)


def _truncated(chunk: Chunk, data: bytes) -> str:
    return (
        f"is truncated: its {chunk.name[:4].decode()} header promises {chunk.start + chunk.size} bytes, {len(data)} "
        "are there. Copy the file again."
    )


def _size_is_open(samples: Chunk, chunks: list[Chunk], layout: ChunkLayout, length: int) -> bool:
    if layout.size_size == 8:
        return samples.size < 0 or samples.size >= 1 << 62
    if samples.size == 0:  # a file without samples may have further chunks; samples do not look like chunks
        last = chunks[-1]
        return samples.start < length and (last is samples or last.start + last.size > length)
    return samples.size >= LEAST_UNKNOWN_SIZE and samples.start + samples.size > length


def _filled_in(data: bytes, samples: Chunk, layout: ChunkLayout) -> Contents:
    """The same file with the sizes that its writer left open; an RF64 that has room becomes a plain RIFF."""
    size = len(data) - samples.start
    if layout.size_size == 4 and len(data) >= LEAST_UNKNOWN_SIZE:
        return Contents.of(data)  # libsndfile reads to the end
    filled = bytearray(data)
    if layout.magic in (b"RF64", b"BW64"):
        filled[:4] = b"RIFF"
    if layout.size_size == 4:
        filled[4:8] = (len(data) - 8).to_bytes(4, layout.order)
    elif layout.counts_header:
        filled[16:24] = len(data).to_bytes(8, layout.order)
        size += layout.header
    filled[samples.start - layout.size_size : samples.start] = size.to_bytes(layout.size_size, layout.order)
    return Contents.of(bytes(filled))


def _wav_part(data: bytes, chunks: list[Chunk]) -> SoundPart:
    """A WAV; with its stated number of samples where it is made of coded blocks, the last of which is padded."""
    by_name = {chunk.name: chunk for chunk in chunks}
    form, fact = by_name.get(b"fmt "), by_name.get(b"fact")
    if form is None or fact is None or fact.size < 4:
        return SoundPart(data)
    coding, block = (int.from_bytes(data[form.start + at : form.start + at + 2], "little") for at in (0, 18))
    stated = int.from_bytes(data[fact.start : fact.start + 4], "little")
    if coding in (0x01, 0x03, 0x06, 0x07, 0xFFFE) or not 0 < stated < LEAST_UNKNOWN_SIZE:
        return SoundPart(data)  # PCM, float, A-law, mu-law and extensible need no block; bytes give their number
    return SoundPart(data, stated, padding=block if form.size >= 20 and block else LONGEST_BLOCK)


def _aiff_difference(data: bytes, chunks: list[Chunk], samples: Chunk) -> str:
    """What AIFF's COMM chunk says of the number of samples where it differs from the bytes of plain samples."""
    common = next((chunk for chunk in chunks if chunk.name == b"COMM" and chunk.size >= 18), None)
    if common is None:
        return ""
    fields = data[common.start : common.start + 22]
    coded = data[8:12] == b"AIFC" and fields[18:22] not in (b"NONE", b"sowt", b"twos", b"raw ")
    channels, stated, bits = (int.from_bytes(fields[a:b], "big") for a, b in ((0, 2), (2, 6), (6, 8)))
    frame = channels * -(-bits // 8)
    if coded or not frame or not 0 < stated < LEAST_UNKNOWN_SIZE or stated == (samples.size - 8) // frame:
        return ""
    return f"its COMM chunk promises {stated} samples, {(samples.size - 8) // frame} are there and read"


def _remainder(data: bytes, layout: ChunkLayout, chunks: list[Chunk]) -> str:
    """What of the file is not read though its samples are whole; "" where that is nothing."""
    last = chunks[-1]
    end = last.start + last.size
    if end > len(data):
        return f"its {last.name[:4].decode()} chunk promises {end} bytes, {len(data)} are there; its samples are whole"
    if data[end:].strip(b"\0"):
        return f"it ends at {end} bytes by its header, {len(data)} are there: the last {len(data) - end} are not read"
    if layout.size_size == 4 and layout.magic not in (b"RF64", b"BW64"):
        outer = 8 + int.from_bytes(data[4:8], layout.order)
        if len(data) + SLACK < outer < LEAST_UNKNOWN_SIZE:
            return f"its header promises {outer} bytes, {len(data)} are there; its samples are whole"
    return ""


def _headed(data: bytes, sizes: SizesOf, magic: bytes) -> Contents:
    """Contents of a file of one header and samples; `sizes` gives the bytes of both, None where the latter is open."""
    start, size = sizes(data)
    if size == 0 and magic == b".snd" and len(data) > start:  # libsndfile takes 0 for none, and this for not known
        return Contents.of(data[:8] + b"\xff" * 4 + data[12:])
    if size is None:
        return Contents.of(data)
    end = start + size
    if end > len(data):
        return Contents.refused(
            f"is truncated: its header promises {end} bytes, {len(data)} are there. Copy the file again."
        )
    rest = data[end:]
    if rest.startswith(magic):
        further = _headed(rest, sizes, magic)
        return Contents.joined([Contents.of(data[:end]), further])
    if rest.strip(b"\0"):
        remark = f"it ends at {end} bytes by its header, {len(data)} are there: the last {len(rest)} are not read"
        return Contents((SoundPart(data[:end]),), remark)
    return Contents.of(data[:end] if rest else data)  # libsndfile reads on


def _au_sizes(data: bytes) -> tuple[int, int | None]:
    start, size = (int.from_bytes(data[place : place + 4], "big") for place in (4, 8))
    return start, None if size == 0xFFFFFFFF else size


def _nist_sizes(data: bytes) -> tuple[int, int | None]:
    lines = data[:8192].decode("latin-1").splitlines()
    start = int(lines[1]) if len(lines) > 1 and lines[1].strip().isdecimal() else 1024
    fields = {
        words[0]: words[2]
        for words in (line.split(maxsplit=2) for line in data[:start].decode("latin-1").splitlines())
        if len(words) == 3
    }
    try:
        return start, int(fields["sample_count"]) * int(fields["channel_count"]) * int(fields["sample_n_bytes"])
    except (KeyError, ValueError):
        return start, None
