"""One way to write a file: whole under a temporary name of its own, synced to the medium, then renamed.

A reader never sees half a file, a power cut leaves the old one or the new one, and a write that fails (no room, no
permission) is one OSError that says what was needed and what is free; it leaves nothing behind. A process that is
killed while it writes leaves its temporary file; `sweep` removes it later. Writers hold a lock on their temporary file
for as long as it has that name, so that a sweep, also on another machine, never takes a living writer's.

A temporary file is created, never opened: a link that was planted under its name is not followed.

    write_whole(path, data)                   # bytes
    fill_whole(path, fill, size=told)         # large content: fill(file) writes it piece by piece
    write_cached(path, data)                  # whole for every reader, but not synced: what a power cut spoils is
                                              # found out by its reader, and made again
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed, which serves as the lock
    fcntl = None  # type: ignore[assignment]

PATTERN = ".spiritlens-*.tmp"
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def given_path(name: str, value: Any) -> Path:
    """The path that a caller gave; anything else, an empty text, and a place that cannot be looked at are refused."""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value) or "\0" in os.fsdecode(value):
        raise ValueError(f"{name}={value!r}: expected the path of a file or folder, as a text or a Path")
    path = Path(os.fsdecode(value))
    try:
        path.exists()
    except OSError as error:  # too long a name, a folder that may not be looked into
        raise OSError(
            error.errno, f"{name}: {path} cannot be looked at ({error.strerror}); name another place"
        ) from error
    return path


def write_whole(path: Path, data: bytes | memoryview) -> Path:
    """Write a file, or replace it, in one step, unless it holds just this already; its folder is made where it is
    missing."""
    if _holds(path, data):
        return path
    return fill_whole(path, lambda file: _write(file, data), size=lambda: len(data))


def fill_whole(path: Path, fill: Callable[[BinaryIO], object], *, size: Callable[[], int | None]) -> Path:
    """Write a file, or replace it, in one step: `fill` writes to the file that it is given, and may read from it. What
    `fill` raises leaves the path as it was; an OSError is told with the bytes needed, `size` (None: unknown)."""
    with explained(path, size), _written(path, fill) as temporary:
        os.replace(temporary, path)
    return path


def write_cached(path: Path, data: bytes | memoryview) -> Path:
    """Write an entry of a cache in one step, without waiting for the medium: its reader checks what it finds."""
    with (
        explained(path, lambda: len(data)),
        _filled(path, lambda file: _write(file, data), lambda handle: None) as temporary,
    ):
        os.replace(temporary, path)
    return path


def create_whole(path: Path, data: bytes | memoryview) -> bool:
    """Write a file in one step unless it is there already; whether it was this call that wrote it."""
    with explained(path, lambda: len(data)), _written(path, lambda file: _write(file, data)) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            try:
                os.rename(temporary, _free(path))
            except FileExistsError:
                return False
    return True


def sweep(folder: Path) -> int:
    """Remove the temporary files that killed writers left in a folder; how many there were."""
    removed = 0
    for path in folder.glob(PATTERN):
        with contextlib.suppress(OSError):
            removed += _remove_abandoned(path)
    return removed


@contextlib.contextmanager
def _written(path: Path, fill: Callable[[BinaryIO], object]) -> Iterator[Path]:
    """A temporary file beside `path`, filled and on the medium; gone afterwards under this name."""
    with _filled(path, fill, os.fsync) as temporary:
        yield temporary
        _sync_folder(path.parent)


@contextlib.contextmanager
def _filled(path: Path, fill: Callable[[BinaryIO], object], sync: Callable[[int], None]) -> Iterator[Path]:
    """A temporary file beside `path`, filled, and given to `sync`; gone afterwards under this name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(PATTERN.replace("*", f"{os.getpid()}-{secrets.token_hex(8)}"))
    handle = None
    try:
        handle = _created(temporary)
        with os.fdopen(handle, "r+b", buffering=0, closefd=False) as file:
            fill(file)
        sync(handle)
        if fcntl is None:
            os.close(handle)
            handle = None
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def _created(path: Path) -> int:
    """A new file, locked; made again where a sweep came between."""
    while True:
        handle = os.open(path, _CREATE, 0o666)
        if fcntl is None:
            return handle
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)


def _write(file: BinaryIO, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _holds(path: Path, data: bytes | memoryview) -> bool:
    """Whether the file is there with just these bytes, so that a folder that needs no writing is only read."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the medium, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _free(path: Path) -> Path:
    if path.exists():
        raise FileExistsError(path)
    return path


def _remove_abandoned(path: Path) -> bool:
    if fcntl is None:
        path.unlink()
        return True
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


@contextlib.contextmanager
def explained(path: Path, size: Callable[[], int | None]) -> Iterator[None]:
    """Tell a failed write in one sentence, with the bytes that it needs (None: unknown)."""
    try:
        yield
    except OSError as error:
        needed = size()
        told = "" if needed is None else f"{needed:,} bytes are needed, "
        raise OSError(
            error.errno,
            f"{path} cannot be written ({error.strerror}): {told}{_room(path)}; make room, or name a place where you "
            "may write",
        ) from error


def _room(path: Path) -> str:
    """How many bytes are free where the file should go."""
    for place in path.absolute().parents:
        with contextlib.suppress(OSError):
            return f"{shutil.disk_usage(place).free:,} are free"
    return "how many are free is unknown"
