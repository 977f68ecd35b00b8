"""A long-lived process that holds one speech library and speaks each text in a forked child.

The parent writes one JSON request per line; the answer is one JSON line, with ``n_bytes`` bytes of 16-bit samples after
it. One process is started per engine and per Python process, on first use, so that multiprocessing workers and
processes whose torch threads run are safe: nothing is forked from them.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

LONGEST_ANSWER_SECONDS = 120


class EngineError(OSError):
    """A speech engine that is missing or failed; the message says how to get it or what it could not speak."""


class EngineProcess:
    """The parent's side of one engine process."""

    def __init__(self, script: str, arguments: tuple[str, ...]) -> None:
        self.script = script
        self._lock = threading.Lock()
        path = Path(__file__).parent / f"{script}.py"
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt from the keyboard is the parent's to handle
        )
        with self._closed_on_failure():
            self.hello = self._read_header()
            if "error" in self.hello:
                raise EngineError(self.hello["error"])

    @property
    def alive(self) -> bool:
        """Whether it can take requests."""
        return self._process.poll() is None

    def request(self, message: Mapping[str, object]) -> tuple[dict[str, Any], np.ndarray]:
        """Send a request; return the answer and its samples, int16 [time]."""
        with self._lock, self._closed_on_failure():
            pipe = self._pipe(self._process.stdin)
            pipe.write(json.dumps(message).encode() + b"\n")
            pipe.flush()
            header = self._read_header()
            data = self._pipe(self._process.stdout).read(header.get("n_bytes", 0))
        if self.hello.get("lives_for") == "one utterance":
            self.close()
        if "error" in header:
            raise EngineError(f"{header['error']} (asked to speak {message.get('text')!r})")
        return header, np.frombuffer(data, dtype=np.int16)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                self._pipe(pipe).close()

    @contextlib.contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        """End the process if it stays silent too long or the caller is interrupted, lest answers get out of step."""
        watch = threading.Timer(LONGEST_ANSWER_SECONDS, self._process.kill)
        watch.start()
        try:
            yield
        except BaseException:
            self.close()
            raise
        finally:
            watch.cancel()

    def _read_header(self) -> dict[str, Any]:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise EngineError(
                f"the speech process {self.script} ended without an answer, or gave none in {LONGEST_ANSWER_SECONDS} s."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise EngineError("the speech process has no pipe.")
        return pipe


class _Registry:
    """The engine processes of this Python process, by script and arguments."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start afresh, as a forked child must: the processes are its parent's."""
        self.running: dict[tuple[object, ...], EngineProcess] = {}
        self.starting = threading.Lock()

    def close(self) -> None:
        """End all processes."""
        for process in self.running.values():
            with contextlib.suppress(Exception):
                process.close()


_registry = _Registry()
atexit.register(_registry.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_registry.forget)


def engine_process(script: str, *arguments: str) -> EngineProcess:
    """The engine process of this Python process; started when first asked for, and again when it has ended."""
    key = (script, arguments)
    with _registry.starting:
        if key not in _registry.running or not _registry.running[key].alive:
            _registry.running[key] = EngineProcess(script, arguments)
        return _registry.running[key]
