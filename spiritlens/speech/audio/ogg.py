"""Ogg (RFC 3533): pages of one or several streams, which may follow one another in one file (a chain of links).

Each page names its stream and its number in it; flag 2 stands on a stream's first page, flag 4 on its last, whose time
is the stream's length. A decoder leaves out a damaged page, takes the page after a damaged first one for the beginning
and the page before a damaged last one for the end; libsndfile reads the first link alone. So links are taken apart
here, and the numbers and checksums of all pages are checked.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from spiritlens.speech.audio.contents import Contents, SoundPart

FIRST, LAST = 2, 4


@dataclass(frozen=True)
class Page:
    """Where a page lies, whose it is, and its flags."""

    start: int
    end: int
    flags: int
    stream: int
    number: int


def ogg_contents(data: bytes) -> Contents:
    """The links of an Ogg file, or what is wrong with it."""
    pages = list(_pages(data))
    if not pages or pages[-1].end > len(data):
        return Contents.refused("is truncated: its last Ogg page is missing. Copy the file again.")
    starts = [0] + [
        number
        for number, (before, page) in enumerate(pairwise(pages), 1)
        if page.flags & FIRST and not before.flags & FIRST
    ]
    links = [pages[start:end] for start, end in pairwise([*starts, len(pages)])]
    found = []
    for number, link in enumerate(links, 1):
        if problem := _problem(data, link):
            part = f"holds {len(links)} recordings, of which number {number} " if len(links) > 1 else ""
            return Contents.refused(f"{part}{problem}. Copy the file again.")
        whole = len(links) == 1 and link[0].start == 0
        found.append(SoundPart(data if whole else data[link[0].start : link[-1].end]))
    foreign = len(data) - sum(page.end - page.start for page in pages)
    remark = f"{foreign} bytes of it are no Ogg pages and are not read" if data[pages[-1].end :].strip(b"\0") else ""
    return Contents(tuple(found), remark)


def _pages(data: bytes) -> Iterator[Page]:
    place = data.find(b"OggS")
    while place >= 0:
        header = data[place : place + 27]
        if len(header) < 27:
            yield Page(place, len(data) + 1, 0, 0, 0)
            return
        table = data[place + 27 : place + 27 + header[26]]
        end = place + 27 + header[26] + sum(table)
        yield Page(place, end, header[5], *(int.from_bytes(header[at : at + 4], "little") for at in (14, 18)))
        place = data.find(b"OggS", end)


def _problem(data: bytes, link: list[Page]) -> str:
    """What is wrong with one link."""
    expected: dict[int, int] = {}
    for page in link:
        if page.number != expected.get(page.stream, page.number):
            return f"is truncated: pages {expected[page.stream]} to {page.number - 1} of its stream are missing"
        if not _checksum_is_right(data[page.start : page.end]):
            return f"is damaged: the checksum of Ogg page {page.number} differs"
        expected[page.stream] = page.number + 1
    return "" if link[-1].flags & LAST else "is truncated: its last Ogg page is missing"


def _checksum_is_right(page: bytes) -> bool:
    """CRC-32 of a page with its own checksum as zeros: zlib's polynomial, but highest bit first, and from 0."""
    reflected = (page[:22] + bytes(4) + page[26:]).translate(REFLECTED)
    found = zlib.crc32(reflected, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return found.to_bytes(4, "little").translate(REFLECTED) == page[25:21:-1]


REFLECTED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the other order."""
