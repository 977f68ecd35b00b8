"""Ogg (RFC 3533): pages of one or several streams, which may follow one another in one file (a chain of links).

Each page names its stream and its number in it; flag 2 stands on a stream's first page, flag 4 on its last, whose time
is the stream's length. A decoder that meets a damaged page leaves it out, and takes a damaged last page's forerunner
for the end; libsndfile reads the first link alone. So links are taken apart here, and page numbers and the checksum of
the last page are checked; pages that are damaged between leave fewer samples than the last page states.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from spiritlens.speech.contents import Contents, Part

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
            part = f"link {number} of {len(links)} of its chain: " if len(links) > 1 else ""
            return Contents.refused(f"is truncated: {part}{problem}. Copy the file again.")
        whole = len(links) == 1 and link[0].start == 0
        found.append(Part(data if whole else data[link[0].start : link[-1].end]))
    foreign = len(data) - sum(page.end - page.start for page in pages)
    told = f"{foreign} bytes of it are no Ogg pages and are not read" if data[pages[-1].end :].strip(b"\0") else ""
    return Contents(tuple(found), told)


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
    """What is missing of one link."""
    expected: dict[int, int] = {}
    for page in link:
        if page.number != expected.get(page.stream, page.number):
            return f"pages {expected[page.stream]} to {page.number - 1} of its stream are missing"
        expected[page.stream] = page.number + 1
    if not link[-1].flags & LAST:
        return "its last Ogg page is missing"
    return "" if _checksum_is_right(data[link[-1].start : link[-1].end]) else "its last Ogg page is damaged"


def _checksum_is_right(page: bytes) -> bool:
    """CRC-32 of a page with its own checksum as zeros: polynomial 0x04c11db7, not reflected, from 0."""
    table, remainder = _crc_table(), 0
    for byte in page[:22] + bytes(4) + page[26:]:
        remainder = (remainder << 8 & 0xFFFFFFFF) ^ table[remainder >> 24 ^ byte]
    return remainder == int.from_bytes(page[22:26], "little")


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        remainder = byte << 24
        for _ in range(8):
            remainder = (remainder << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if remainder & 0x80000000 else 0)
        table.append(remainder)
    return tuple(table)
