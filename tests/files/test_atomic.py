"""A file is there whole or not at all, a failed write is one sentence, and nothing is left over."""

import errno
import os
import stat
from pathlib import Path

import pytest

from spiritlens.files import atomic
from spiritlens.files.atomic import create_whole, given_path, sweep, write_cached, write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_are_readable_as_the_user_s_others_are(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "new" / "a.wav", b"sound")
    finally:
        os.umask(before)
    assert (tmp_path / "new" / "a.wav").read_bytes() == b"sound"
    assert stat.S_IMODE((tmp_path / "new" / "a.wav").stat().st_mode) == 0o644
    assert names(tmp_path / "new") == ["a.wav"]


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a", b"old")
    with path.open("rb") as reader:
        write_whole(path, b"new and longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new and longer"


def test_an_entry_of_a_cache_is_whole_and_waits_for_no_medium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    path = write_cached(tmp_path / "new" / "a", b"old")
    assert not synced
    with path.open("rb") as reader:
        write_cached(path, b"new and longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new and longer"
    assert [each.name for each in path.parent.iterdir()] == ["a"]
    write_whole(path, b"kept")
    assert synced


@pytest.mark.parametrize("links", ["links", "no links"])
def test_only_one_creates(links: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if links == "no links":
        monkeypatch.setattr(os, "link", no_links)
    assert create_whole(tmp_path / "a", b"first")
    assert not create_whole(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("function", "number"), [("fsync", errno.EIO), ("fsync", errno.ENOSPC), ("replace", errno.EACCES)]
)
def test_a_failed_write_is_one_sentence_and_leaves_nothing(
    function: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "a", b"old")

    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match=r"a cannot be written \(.*\): 1,234 bytes are needed, [\d,]+ are free") as caught:
        write_whole(tmp_path / "a", b"x" * 1234)
    assert caught.value.errno == number
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_file_that_holds_just_this_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_whole(tmp_path / "a", b"same")
    monkeypatch.setattr(os, "replace", lambda *names: pytest.fail("it was written again"))
    assert write_whole(path, memoryview(b"same")) == path
    monkeypatch.undo()
    write_whole(path, b"some")
    assert path.read_bytes() == b"some"


def test_a_write_without_room_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """A file may not grow beyond the limit that the system sets here, as on a full disk."""
    resource = pytest.importorskip("resource")
    write_whole(tmp_path / "a", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=r"a cannot be written \(.*\): 1,234 bytes are needed") as caught:
            write_whole(tmp_path / "a", b"x" * 1234)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder cannot be written"):
        write_whole(tmp_path / "folder", b"x")
    assert names(tmp_path) == ["folder"]


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a", b"x")
    assert names(tmp_path) == []


def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda size: "known")
    target = write_whole(tmp_path / "target", b"precious")
    (tmp_path / "run").mkdir()
    planted = tmp_path / "run" / atomic.PATTERN.replace("*", f"{os.getpid()}-known")
    planted.symlink_to(target)
    with pytest.raises(FileExistsError, match="a cannot be written"):
        write_whole(tmp_path / "run" / "a", b"x")
    assert target.read_bytes() == b"precious"


@pytest.mark.skipif(atomic.fcntl is None, reason="an open file cannot be removed")
def test_only_what_no_writer_holds_is_swept(tmp_path: Path) -> None:
    for name in ("1-a", "2-b"):
        (tmp_path / atomic.PATTERN.replace("*", name)).write_bytes(b"half")
    (tmp_path / ".mine.tmp").write_bytes(b"")
    with (tmp_path / atomic.PATTERN.replace("*", "1-a")).open("rb") as held:
        atomic.fcntl.flock(held, atomic.fcntl.LOCK_EX)
        assert sweep(tmp_path) == 1
    assert len(names(tmp_path)) == 2
    assert sweep(tmp_path) == 1
    assert names(tmp_path) == [".mine.tmp"]


@pytest.mark.parametrize("value", [None, "", 5, ["a"], "a\0b"])
def test_paths_are_paths(value: object) -> None:
    with pytest.raises(ValueError, match=r"folder=.*expected the path"):
        given_path("folder", value)
