"""The page: one offline HTML file of figures, tables and sound.

`spiritlens.dashboard` writes the page of a study. For a page of one's own, `write_page` takes sections (`Section`) of
figures (`Plot`) and tables (`Table`); `Texts` are a dashboard's own words.
"""

from spiritlens.report.page.document import Command as Command
from spiritlens.report.page.document import Plot as Plot
from spiritlens.report.page.document import Section as Section
from spiritlens.report.page.document import Table as Table
from spiritlens.report.page.document import Texts as Texts
from spiritlens.report.page.document import write_page as write_page

__all__ = ["Plot", "Section", "Table", "Texts", "write_page"]
