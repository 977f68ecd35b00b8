"""Tables as they are: rankings, areas, transcriptions, and whatever a user made."""

from typing import Any

import numpy as np
import pandas as pd

from spiritlens.report.numerals import number_words
from spiritlens.report.page.document import Section, Table
from spiritlens.report.page.sections.given import Among, key_of


def table_section(name: str, table: pd.DataFrame | pd.Series, among: Among) -> Section:
    """A table under its name; of a series (such as `sl.heads.overlap` returns) one row for each entry."""
    frame = table
    if isinstance(table, pd.Series):
        frame = pd.DataFrame({"what": table.index.astype(str), "value": table.to_numpy(dtype=object)})
    return Section(key_of("table", name), name, "", tables=[Table(name, written_frame(frame))])


def written_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells as texts, numbers with three digits and real minus signs."""
    return frame.map(_written)


def _written(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return str(value).replace("-", "−")
    return number_words(float(value)) if isinstance(value, (float, np.floating)) else str(value)
