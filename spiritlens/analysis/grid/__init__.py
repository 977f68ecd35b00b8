"""What methods share, and all that they share: sites, windows, checks of what is given, and columns of results."""
