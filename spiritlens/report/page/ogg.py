"""Ogg files that are equal whenever their content is: the number of their stream is not drawn.

An Ogg file is a row of pages, each with the number of the stream that it belongs to, which encoders draw at random, and
a checksum over all of the page (32-bit CRC of the polynomial 0x04c11db7, the highest bit first, 0 at the start).

Source: RFC 3533, section 6.
"""

import zlib

STREAM, CHECKSUM, SEGMENTS = slice(14, 18), slice(22, 26), 26
"""Places in a page's header: the stream's number, the checksum, how many segments' sizes follow."""
NUMBER = (1).to_bytes(4, "little")
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Bytes with their bits in the other order, in which zlib takes them."""


def with_one_number(data: bytes) -> bytes:
    """An Ogg file of one stream under the number 1, whatever its encoder drew."""
    pages: list[bytes] = []
    first = 0
    while first < len(data):
        sizes = first + SEGMENTS + 1
        end = sizes + data[first + SEGMENTS]
        end += sum(data[sizes:end])
        page = bytearray(data[first:end])
        page[STREAM], page[CHECKSUM] = NUMBER, bytes(4)
        page[CHECKSUM] = checksum(bytes(page)).to_bytes(4, "little")
        pages.append(bytes(page))
        first = end
    return b"".join(pages)


def checksum(page: bytes) -> int:
    """The checksum of a page whose own is zero."""
    found = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2)
