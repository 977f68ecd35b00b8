"""How a prompt shows itself: a table of its tokens with words, roles and times, as text and as HTML."""

import html
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spiritlens.prompts.prompt import Prompt

HEADER = ("pos", "token", "id", "family", "word", "role", "part", "time")
CELL = "style='text-align:left;padding:0 .6em'"


def prompt_title(prompt: "Prompt") -> str:
    """One line: id, kind, number of tokens, subject, answer, and foil and voice where there are any."""
    foil = f", foil '{prompt.foil}'" if prompt.foil else ""
    voice = f", voice {prompt.voice}" if prompt.voice else ""
    size = f"{prompt.kind}, {len(prompt)} tokens"
    return f"Prompt {prompt.id}: {size}, subject '{prompt.subject.name}', answer '{prompt.answer}'{foil}{voice}"


def prompt_rows(prompt: "Prompt") -> list[tuple[str, ...]]:
    """One row of `HEADER` per token; times in seconds."""
    rows: list[tuple[str, ...]] = []
    for position, (label, word, start) in enumerate(zip(prompt.labels, prompt.word_index, prompt.starts, strict=True)):
        time = "" if math.isnan(start) else f"{start:.2f}–{prompt.ends[position]:.2f} s"
        part = "" if prompt.parts[position] == "none" else prompt.parts[position]
        named = prompt.words[word] if word >= 0 else ""
        about = (prompt.families[position], named, prompt.roles[position], part, time)
        rows.append((str(position), label, str(prompt.ids[position]), *about))
    return rows


def prompt_text(prompt: "Prompt") -> str:
    """The table for a terminal."""
    rows = [HEADER, *prompt_rows(prompt)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([prompt_title(prompt), *lines, *(f"Caution: {note}" for note in prompt.cautions)])


def prompt_html(prompt: "Prompt") -> str:
    """The table for a notebook, under a player where the prompt has its sound."""
    head = "".join(f"<th {CELL}>{cell}</th>" for cell in HEADER)
    rows = ("".join(f"<td {CELL}>{html.escape(cell)}</td>" for cell in row) for row in prompt_rows(prompt))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    audio = prompt.waveform._repr_html_() if prompt.waveform is not None else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    notes = "".join(f"<p>Caution: {html.escape(note)}</p>" for note in prompt.cautions)
    return f"<p>{html.escape(prompt_title(prompt))}</p>{audio}{table}{notes}"
