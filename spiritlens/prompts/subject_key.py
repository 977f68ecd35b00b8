"""What a prompt is about, as a key: prompts of one key are about the same subject, said or spelt otherwise."""

from spiritlens.prompts.prompt import Prompt


def subject_key(prompt: Prompt) -> str:
    """The subject's name, letter case aside."""
    return prompt.subject.name.casefold()
