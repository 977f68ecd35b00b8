"""`python -m spiritlens` is the same as the `spiritlens` command."""

from spiritlens.cli import main

if __name__ == "__main__":
    main()
