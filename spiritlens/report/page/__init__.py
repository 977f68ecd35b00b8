"""The page: one offline HTML file of figures, tables and sound.

`spiritlens.dashboard` writes the page of a study, `of_folder` that of a run folder anew, `beside` one of two folders.
For a page of one's own, `write_page` takes sections (`Section`) of figures (`Plot`) and tables (`Table`); `Texts` are a
dashboard's own words.
"""

from spiritlens.report.page.document import Command as Command
from spiritlens.report.page.document import Plot as Plot
from spiritlens.report.page.document import Section as Section
from spiritlens.report.page.document import Table as Table
from spiritlens.report.page.document import Texts as Texts
from spiritlens.report.page.document import write_page as write_page
from spiritlens.report.page.run_folder.beside import beside as beside
from spiritlens.report.page.run_folder.of_folder import of_folder as of_folder

__all__ = ["Plot", "Section", "Table", "Texts", "beside", "of_folder", "write_page"]
