"""What goes into a paper: tables in LaTeX, Markdown and CSV, figures at the width of a column, their numbers."""
