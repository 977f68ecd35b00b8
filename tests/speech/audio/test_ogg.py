"""Ogg: chains are read whole; lost and damaged pages are refused, wherever they stand."""

import numpy as np
import pytest
from sounds import encoded, put

from spiritlens.speech.audio.decoding import decoded
from spiritlens.speech.audio.ogg import _pages
from spiritlens.speech.audio.waveform import AudioError, read_waveform


@pytest.fixture(scope="module", params=["VORBIS", "OPUS"])
def ogg(request, recording):
    return encoded(recording.samples, format="OGG", subtype=request.param)


def test_a_chain_is_read_whole(ogg, tone):
    other = encoded(tone, format="OGG", subtype="VORBIS")
    both = decoded(ogg + other, "both").mono
    assert np.array_equal(both, np.concatenate([decoded(ogg, "one").mono, decoded(other, "other").mono]))


def test_every_page_is_checked(ogg):
    pages = list(_pages(ogg))
    assert len(pages) > 5
    for page in pages:
        broken = put(ogg, page.end - 2, bytes([ogg[page.end - 2] ^ 0xFF]))
        with pytest.raises(AudioError, match=f"is damaged: the checksum of Ogg page {page.number} differs"):
            read_waveform(broken)


def test_a_lost_page_is_missed(ogg):
    pages = list(_pages(ogg))
    for page in pages[1:-1]:
        with pytest.raises(AudioError, match=f"pages {page.number} to {page.number} of its stream are missing"):
            read_waveform(ogg[: page.start] + ogg[page.end :])
    with pytest.raises(AudioError, match="its last Ogg page is missing"):
        read_waveform(ogg[: pages[-1].start])
    with pytest.raises(AudioError, match="holds 2 recordings, of which number 1 is truncated"):
        read_waveform(ogg[: pages[-1].start] + ogg)


def test_what_follows_is_told(ogg):
    with pytest.warns(UserWarning, match="300 bytes of it are no Ogg pages and are not read"):
        assert len(read_waveform(ogg + b"xyz" * 100)) == len(read_waveform(ogg))


def test_links_at_two_rates_are_refused(ogg, tone):
    with pytest.raises(AudioError, match="holds 2 recordings at 16000 and 22050 Hz"):
        read_waveform(ogg + encoded(tone, 22050, format="OGG", subtype="VORBIS"))
