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
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np


class EngineError(RuntimeError):
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
            bufsize=-1,
        )
        self.hello = self._read_header()
        if "error" in self.hello:
            raise EngineError(self.hello["error"])

    def request(self, message: Mapping[str, object]) -> tuple[dict[str, Any], np.ndarray]:
        """Send a request; return the answer and its samples, int16 [time]."""
        with self._lock:
            pipe = self._pipe(self._process.stdin)
            pipe.write(json.dumps(message).encode() + b"\n")
            pipe.flush()
            header = self._read_header()
            data = self._pipe(self._process.stdout).read(header.get("n_bytes", 0))
        if "error" in header:
            raise EngineError(f"{header['error']} (asked to speak {message.get('text')!r})")
        return header, np.frombuffer(data, dtype=np.int16)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._pipe(self._process.stdin).close()
        self._process.terminate()
        self._process.wait(timeout=5)
        self._pipe(self._process.stdout).close()

    def _read_header(self) -> dict[str, Any]:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise EngineError(
                f"the speech process {self.script} ended without an answer (exit {self._process.wait(timeout=5)})."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise EngineError("the speech process has no pipe.")
        return pipe


_running: dict[tuple[object, ...], EngineProcess] = {}
_starting = threading.Lock()


def engine_process(script: str, *arguments: str) -> EngineProcess:
    """The engine process of this Python process; started when first asked for."""
    key = (os.getpid(), script, arguments)
    with _starting:
        if key not in _running:
            _running[key] = EngineProcess(script, arguments)
        return _running[key]


@atexit.register
def _close_all() -> None:
    for (pid, *_), process in list(_running.items()):
        if pid == os.getpid():
            with contextlib.suppress(Exception):
                process.close()
