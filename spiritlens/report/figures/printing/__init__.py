"""A figure laid out anew for print: small fonts, labels that fit, heights for its rows, at the width of a page."""
