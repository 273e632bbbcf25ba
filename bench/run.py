#!/usr/bin/env python3
"""./dev bench [SUITE] [ARGUMENTS]: runs bench/suites/SUITE.py; without a name the service as a whole."""
import importlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
SUITES = sorted(path.stem for path in (pathlib.Path(__file__).parent / "suites").glob("*.py"))


def main():
    arguments = sys.argv[1:]
    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "service"
    if name not in SUITES:
        sys.exit(f"bench: there is no suite {name}; {', '.join(SUITES)}")
    # In a package, since names such as http and token are the standard library's as well.
    importlib.import_module(f"suites.{name}").main(arguments)


if __name__ == "__main__":
    main()
