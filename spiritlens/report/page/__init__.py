"""The page: one offline HTML file of figures, tables and sound."""
