"""What goes into a paper beside its figures: tables in LaTeX, Markdown and CSV, and the numbers of a figure."""
