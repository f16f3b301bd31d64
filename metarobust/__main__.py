"""`python -m metarobust` is the `metarobust` command."""

from metarobust.cli.main import main

if __name__ == "__main__":
    main()
