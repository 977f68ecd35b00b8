"""Sections of a page, one file per kind of result, and the table of kinds that `dashboard` reads (`kinds`).

A file holds a function that makes the section of one result: its name on the page, the result, and what it stands among
(`given.Among`). Figures are those of `spiritlens.report.figures`; the words of effects stand in
`spiritlens.report.acts`; what was not run is named with the lines that would run it (`commands`).
"""
