"""Figures and the page: what a study found, to look at, read and listen to.

Glossary: a *figure* is a plotly figure of one dataset or prompt (`figures`); the *page* is one offline `index.html`
with the figures, tables, audio and a paragraph on what was run (`page`). *Role maps* are averages over facts by
role and layer; a *trace map* is one prompt by token and layer. Words for readers: `words`; colours and marks:
`figures.look`.

Nothing here imports torch: a results folder becomes a page on any laptop.
"""
