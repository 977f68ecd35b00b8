"""The exact sweep: whole grids of patched runs, each column by one pass over the layers."""
