"""`python -m nmcompile` is `nmc`."""

from nmcompile.cli import main

if __name__ == "__main__":
    main()
