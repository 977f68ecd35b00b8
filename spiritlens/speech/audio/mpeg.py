"""MPEG audio (MP3 and layers I and II): a walk over its frames, so that nothing rests on a guessed length.

An MP3 file is a row of frames, each with its own header, between tags. Its length stands in a first frame without sound
(Xing or Info) where its encoder could go back to fill that in; a decoder guesses it elsewhere, and stops there. Here
frames are counted: a part without such a first frame is given one, files that were joined are taken apart (a part
begins at each first frame of that kind, and where rate or layer change), and tags and foreign bytes between frames are
left out.

Source: ISO/IEC 11172-3 and 13818-3 (frame headers), the Xing header as LAME writes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from spiritlens.speech.audio.contents import Contents, SoundPart

KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s by (version, layer); a header's index counts them from 1."""
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Samples per second by the version's two bits (3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5)."""
DELAY = 529
"""Samples that libsndfile's decoder leaves out at the start of a stream with a first frame (its own delay); a silent
frame is put there for it, so that none of the sound is left out."""


@dataclass(frozen=True)
class Header:
    """What a frame's four bytes say: its bytes, its samples, and the `kind` that stays the same in one file."""

    length: int
    samples: int
    kind: tuple[int, int, int]
    """Version bits, layer, samples per second."""


@dataclass(frozen=True)
class Frames:
    """Where frames lie (`places`, and their `headers`), and what lies between them."""

    places: list[int]
    headers: list[Header]
    foreign: int
    """Bytes that are neither frames nor tags nor zeros."""
    missing: int
    """Bytes by which the last frame is cut."""


def is_mpeg(data: bytes) -> bool:
    """Whether these bytes begin with a frame of MPEG audio."""
    return data[:1] == b"\xff" and _header(data[:4]) is not None


def mpeg_contents(data: bytes) -> Contents:
    """The parts of MPEG audio that starts with a frame or a tag."""
    frames = _walk(data)
    if not frames.places:
        return Contents.of(data)
    parts: list[SoundPart] = []
    remarks: list[str] = []
    for first, last in pairwise([*_part_starts(data, frames), len(frames.places)]):
        content = _part(data, frames, first, last)
        if content.problem:
            return content
        parts += content.parts
        remarks += [content.remainder] if content.remainder else []
    if frames.foreign:
        remarks.append(f"{frames.foreign} bytes between its frames are no MPEG audio and are not read")
    if frames.missing:
        remarks.append(f"its last frame lacks {frames.missing} bytes and is not read")
    return Contents(tuple(parts), "; ".join(remarks))


@lru_cache(maxsize=512)
def _header(four: bytes) -> Header | None:
    """The header in four bytes; None where they are none, or one of free bit rate."""
    if len(four) < 4 or four[0] != 0xFF or four[1] & 0xE0 != 0xE0:
        return None
    version, layer, kbit, rate = four[1] >> 3 & 3, 4 - (four[1] >> 1 & 3), four[2] >> 4, four[2] >> 2 & 3
    if version == 1 or layer == 4 or not 0 < kbit < 15 or rate == 3:
        return None
    per_second = RATES[version][rate]
    bits = KBITS[1 if version == 3 else 2, layer][kbit - 1] * 1000
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    padding = four[2] >> 1 & 1
    length = (12 * bits // per_second + padding) * 4 if layer == 1 else samples // 8 * bits // per_second + padding
    return Header(length, samples, (version, layer, per_second))


def _walk(data: bytes) -> Frames:
    places: list[int] = []
    headers: list[Header] = []
    foreign, place, size = 0, 0, len(data)
    while place < size:
        header = _header(data[place : place + 4])
        if header is not None and place + header.length <= size:
            places.append(place)
            headers.append(header)
            place += header.length
        elif tag := tag_size(data, place):
            place += tag
        elif header is not None and headers and header.kind == headers[-1].kind:
            return Frames(places, headers, foreign, place + header.length - size)
        else:
            found = _next_frame(data, place + 1)
            foreign += len(data[place:found].strip(b"\0"))
            place = found
    return Frames(places, headers, foreign, 0)


def tag_size(data: bytes, place: int) -> int:
    """Bytes of the tag (ID3v2, ID3v1, APE) that begins here; 0 where none does."""
    if data[place : place + 3] == b"ID3" and len(data) >= place + 10:
        digits = data[place + 6 : place + 10]
        size = sum(digit << shift for digit, shift in zip(digits, (21, 14, 7, 0), strict=True))
        return 10 + size + (10 if data[place + 5] & 0x10 else 0)
    if data[place : place + 8] == b"APETAGEX":
        return 32 + int.from_bytes(data[place + 12 : place + 16], "little")
    if data[place : place + 3] == b"TAG" and len(data) - place >= 128:
        return 128
    return 0


def _next_frame(data: bytes, place: int) -> int:
    """Where the next frame or tag begins: a header that another one of its kind follows, or that ends the file."""
    while True:
        starts = [found for found in (data.find(sign, place) for sign in (b"\xff", b"TAG", b"APETAGEX")) if found >= 0]
        if not starts:
            return len(data)
        place = min(starts)
        if tag_size(data, place):
            return place
        header = _header(data[place : place + 4])
        if header is not None:
            follower = place + header.length
            after = _header(data[follower : follower + 4])
            if follower == len(data) or tag_size(data, follower) or (after is not None and after.kind == header.kind):
                return place
        place += 1


def _part_starts(data: bytes, frames: Frames) -> Iterator[int]:
    """Numbers of the frames that begin a part."""
    before = None
    counted = 0
    for number, (place, header) in enumerate(zip(frames.places, frames.headers, strict=True)):
        stated = _stated(data, place, header)
        if header.kind != before or stated is not None or number == counted:
            yield number
        if stated is not None:
            counted = number + 1 + stated if stated else 0
        before = header.kind


def _stated(data: bytes, place: int, header: Header) -> int | None:
    """The number of frames in a first frame without sound (0 where it leaves that open); None for a frame of sound."""
    if header.kind[1] != 3:
        return None
    frame = data[place : place + header.length]
    sign = 4 + _side_size(frame)
    if frame[sign : sign + 4] in (b"Xing", b"Info") and not any(frame[4:sign]):
        return int.from_bytes(frame[sign + 8 : sign + 12], "big") if frame[sign + 7] & 1 else 0
    if frame[36:40] == b"VBRI" and not any(frame[4:36]):
        return 0  # libsndfile's decoder does not read it
    return None


def _side_size(frame: bytes) -> int:
    """Bytes of side information after a layer III frame's header, by its version and its channels."""
    one_channel, first_version = frame[3] >> 6 == 3, frame[1] >> 3 & 3 == 3
    return (17 if one_channel else 32) if first_version else (9 if one_channel else 17)


def _part(data: bytes, frames: Frames, first: int, last: int) -> Contents:
    """The frames `first` to `last` as a stream of their own that states its length."""
    header = frames.headers[first]
    stated = _stated(data, frames.places[first], header)
    there = last - first - (stated is not None)
    if there == 0:
        return Contents(())
    remark = ""
    if stated and stated > there:
        remark = f"its header promises {stated} frames of {header.samples} samples, {there} are there"
        if stated > there + 1:  # some encoders count the first frame too
            return Contents.refused(f"is truncated: {remark}. Copy the file again.")
    pieces = _frames(data, frames, first, last)
    if header.kind[1] != 3:
        return Contents((SoundPart(pieces, there * header.samples),))
    if stated == there:
        return Contents((SoundPart(pieces),))
    sound = pieces if stated is None else pieces[header.length :]
    silent = _silent_frame(sound)
    first_frame = _first_frame(silent, there + 1)
    return Contents(
        (SoundPart(first_frame + silent + sound, there * header.samples, skip=header.samples - DELAY),), remark
    )


def _frames(data: bytes, frames: Frames, first: int, last: int) -> bytes:
    """The bytes of frames, without what lies between them."""
    begin, end = frames.places[first], frames.places[last - 1] + frames.headers[last - 1].length
    if end - begin == sum(header.length for header in frames.headers[first:last]):
        return data[begin:end]
    chosen = zip(frames.places[first:last], frames.headers[first:last], strict=True)
    return b"".join(data[place : place + header.length] for place, header in chosen)


def _silent_frame(sound: bytes) -> bytes:
    """A frame of silence in the form of the one that it goes before."""
    four = bytes((sound[0], sound[1] | 1, (sound[2] & 0x0C) | 0x80, sound[3]))  # no checksum, large enough, no pad
    header = _header(four)
    return four.ljust(header.length if header else 0, b"\0")


def _first_frame(silent: bytes, n_frames: int) -> bytes:
    """A first frame without sound that states the number of frames, made of a silent one."""
    sign = 4 + _side_size(silent)
    stated = b"Xing" + (1).to_bytes(4, "big") + n_frames.to_bytes(4, "big")
    return silent[:sign] + stated + silent[sign + len(stated) :]
