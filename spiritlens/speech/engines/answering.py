"""The child's side of `process`: read requests, speak each in a forked child, write the answers.

Run as part of a script without site packages: standard library only.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

Speak = Callable[[dict[str, Any]], tuple[dict[str, Any], bytes]]


def _write(header: dict[str, Any], data: bytes = b"") -> None:
    """One answer, written at once to the real standard output."""
    message = json.dumps({**header, "n_bytes": len(data)}).encode() + b"\n" + data
    while message:
        message = message[os.write(1, message) :]


def fail(message: str) -> None:
    """Say why the engine cannot start, and end."""
    _write({"error": message})
    sys.exit(1)


def _answer(line: bytes, speak: Speak) -> None:
    try:
        _write(*speak(json.loads(line)))
    except Exception as error:
        _write({"error": f"{type(error).__name__}: {error}"})


def answer_requests(hello: dict[str, Any], speak: Speak) -> None:
    """Say hello, then answer each request by `speak` in a forked child, so that no utterance changes the next one.

    Where a system cannot fork, the process answers one request only, and the parent starts another.
    """
    if not hasattr(os, "fork"):
        _write({**hello, "lives_for": "one utterance"})
        _answer(sys.stdin.buffer.readline(), speak)
        return
    _write(hello)
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            _answer(line, speak)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            _write({"error": f"the speech library crashed (signal {os.WTERMSIG(status)})"})
