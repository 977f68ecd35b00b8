"""Reading facts."""

import os
from pathlib import Path

from spiritlens.arguments import shown, told_keywords
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.own_file import facts_of_file
from spiritlens.prompts.facts.shipped import ASSETS, check_shipped


@told_keywords
def load_facts(source: str | Path = "embedded") -> tuple[Fact, ...]:
    """Facts of the embedded model (``"embedded"``) or of a JSON file in the same form, in the file's order.

    Returns them as `Fact` values. Raises FileNotFoundError where there is no such file, ValueError where it has another
    form, with the row (the file is described in the page on facts files).
    """
    if not isinstance(source, (str, Path)):
        raise ValueError(
            f"source={shown(source)} ({type(source).__name__}): expected 'embedded' or the path of a JSON file"
        )
    path = ASSETS / "facts.json" if source == "embedded" else Path(source)
    if not os.path.isfile(path):  # unlike Path.is_file, False for a name that no file can have
        raise FileNotFoundError(
            f"no facts at {shown(str(path), 200)}; give 'embedded' or the path of a JSON file like "
            f"{ASSETS / 'facts.json'}"
        )
    facts = facts_of_file(path)
    if source == "embedded":
        check_shipped(facts)
    return facts
