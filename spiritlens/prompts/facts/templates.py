"""Templates: a prompt in which ``{subject}`` stands for the subject, ending right before the answer.

Published sets have three forms, and one function reads them all: a template with a place for the subject (``{}``,
``{subject}``, LAMA's ``[X]``), LAMA's with a place for the answer as well (``[X] was born in [Y] .``), which has to
come last, and the prompt as it is asked, in which the subject is looked for as whole words.
"""

from spiritlens.prompts.building.phrases import PUNCTUATION, phrase_in_text
from spiritlens.prompts.facts.left_out import Refusal

SUBJECT = "{subject}"
PLACES = (SUBJECT, "{}", "[X]")
ANSWER = "[Y]"


def template_of(text: str, subject: str) -> tuple[str, str] | Refusal:
    """The template of a text, and the subject as it is written there; or why it has none."""
    before, at, after = text.partition(ANSWER)
    if at and after.strip(PUNCTUATION + " "):
        return Refusal("the answer is not asked for at the end", f"'{text}' goes on after {ANSWER}")
    found = before.strip()
    if not found:
        return Refusal("no prompt", f"'{text}' has no words before the answer")
    if not subject:
        return found, ""
    places = [place for place in PLACES if place in found]
    if not places:
        return _of_prompt(found, subject)
    if len(places) > 1 or found.count(places[0]) > 1:
        return Refusal("{} twice in the template", f"'{text}' has {' and '.join(places)} more than once")
    template = found.replace(places[0], SUBJECT)
    return _once(template, subject) or (template, subject)


def _once(template: str, subject: str) -> Refusal | None:
    """Refuse a prompt in which the subject stands elsewhere too, or is a part of a word."""
    prompt = template.replace(SUBJECT, subject)
    count = len(phrase_in_text(prompt, subject)) if _needs_a_look(template, subject) else 1
    if count == 1:
        return None
    if count > 1:
        return Refusal("the subject is twice in the prompt", f"'{subject}' stands {count} times in '{prompt}'")
    return Refusal("the subject is not in the prompt", f"'{subject}' is only a part of a word in '{prompt}'")


def _needs_a_look(template: str, subject: str) -> bool:
    """Whether letters touch the subject's place, or its first word stands elsewhere: most templates need no search."""
    before, after = template.split(SUBJECT)
    touched = not (before[-1:] or " ").isspace() or not (after[:1] or " ").isspace()
    return touched or subject.split()[0].casefold() in (before + after).casefold()


def _of_prompt(prompt: str, subject: str) -> tuple[str, str] | Refusal:
    """The template of a prompt as it is asked. The subject is taken as it is spelt there."""
    places = phrase_in_text(prompt, subject)
    if len(places) > 1:
        return Refusal("the subject is twice in the prompt", f"'{subject}' stands {len(places)} times in '{prompt}'")
    if not places:
        return Refusal(
            "the subject is not in the prompt", f"'{prompt}' has neither {{}} nor '{subject}' as whole words"
        )
    start, end = places[0]
    return prompt[:start] + SUBJECT + prompt[end:], prompt[start:end]
