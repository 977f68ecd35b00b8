"""Errors of one prompt or one fact alone: it is left out with the reason, and the others go on.

Others end the call: no room on the disk, a fault of the program, and a device that has failed, as every later prompt
would meet them.
"""

from spiritlens.out_of_memory import ran_out_of_memory

OWN_ERRORS = (ValueError, ArithmeticError, LookupError, RuntimeError, MemoryError)
"""Kinds of errors that may be one prompt's own."""
DEVICE_ERRORS = ("CUDA error", "HIP error", "MPS backend", "NCCL error")


def own_reason(error: Exception, sentences: tuple[type[Exception], ...] = ()) -> str:
    """What is recorded of a prompt or fact that meets an error: one line, with the error's kind, unless it is one of
    those whose words are `sentences`. The error of a device is raised again."""
    if _is_of_device(error):
        raise error
    line = " ".join(str(error).split())
    return line if isinstance(error, sentences) else f"{type(error).__name__}: {line}"


def would_repeat(error: Exception) -> bool:
    """Whether an error is a prompt's own, so that another try meets it again: neither of memory nor of a device."""
    return isinstance(error, OWN_ERRORS) and not _is_of_device(error) and not ran_out_of_memory(error)


def _is_of_device(error: Exception) -> bool:
    return any(words in str(error) for words in DEVICE_ERRORS)
