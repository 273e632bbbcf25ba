#!/usr/bin/env python3
"""The rules of ARCHITECTURE.md that a compiler does not check, held by a script.

Meson already keeps a folder from seeing what it does not list. This keeps the lists themselves honest, the private
headers private, each outside library in its own layer, and a few words out of the code.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"

# What each folder may use (DESIGN section 2), and the outside headers that are its own.
MAY_USE = {
    "base": set(),
    "work": {"base"},
    "store": {"base"},
    "password": {"base"},
    "token": {"base"},
    "auth": {"token", "password", "store", "base"},
    "tls": {"base"},
    "http": {"base"},
    "net": {"tls", "http", "base"},
    "api": {"auth", "work", "http", "base"},
    "app": {"api", "net", "http", "tls", "auth", "token", "password", "store", "work", "base"},
    "cli": {"app", "api", "net", "http", "tls", "auth", "token", "password", "store", "work", "base"},
}
OUTSIDE = {
    r"uv\.h": {"work", "net", "app"},
    r"llhttp\.h": {"http"},
    r"sqlite3\.h": {"store"},
    r"(mongoc|bson)/.*": {"store"},
    r"dlfcn\.h": {"store"},
    r"jwt\.h": {"token"},
    r"jansson\.h": {"token", "api", "cli"},
    r"crypt\.h": {"password"},
    r"argon2\.h": {"password"},
    r"openssl/(rand|crypto|evp|sha|err)\.h": {"base", "tls", "token", "password"},
    r"openssl/.*": {"tls", "token"},
}
VERSIONS = "version.c"  # names the library versions for --version, and so sees each library's header
FORBIDDEN = {
    r"\b(strcpy|strcat|sprintf|gets|strtok|alloca|system|popen)\s*\(": "an unsafe function",
    r"\bTODO\b|\bFIXME\b|\bXXX\b": "an open end without an issue",
    r"(?:^|[^:\"'])//": "a // comment",
}
NO_HEAP = {"auth"}  # results live in the request's arena
MAX_LINES = {".c": 500, ".h": 200}

problems = []


def problem(path, line, text):
    problems.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def owner(header, folder):
    """The folder whose header this is, seen from `folder`."""
    if (SOURCE / folder / header).exists():
        return folder
    for other in MAY_USE:
        if (SOURCE / other / header).exists():
            return other
    return None


def check_include(path, number, folder, quoted, angled):
    if quoted:
        other = owner(quoted, folder)
        if other and other != folder:
            if quoted != f"{other}.h":
                problem(path, number, f"{quoted} is private to src/{other}")
            if other not in MAY_USE[folder]:
                problem(path, number, f"src/{folder} may not use src/{other}")
        return
    for pattern, folders in OUTSIDE.items():
        if re.fullmatch(pattern, angled):
            if folder not in folders and path.name != VERSIONS:
                problem(path, number, f"<{angled}> belongs to {', '.join(sorted(folders))}")
            return


def check_file(path, folder):
    text = path.read_text()
    lines = text.splitlines()
    if len(lines) > MAX_LINES[path.suffix]:
        problem(path, len(lines), f"more than {MAX_LINES[path.suffix]} lines: is it one thing?")
    for number, line in enumerate(lines, 1):
        include = re.match(r'\s*#include\s+(?:"([^"]+)"|<([^>]+)>)', line)
        if include:
            check_include(path, number, folder, include[1], include[2])
        for pattern, what in FORBIDDEN.items():
            if re.search(pattern, line):
                problem(path, number, what)
    if path.suffix == ".h" and not text.startswith("/* " + path.name):
        problem(path, 1, f"a header begins with its name and purpose: /* {path.name} - ...")


def check_folder(folder):
    build = (SOURCE / folder / "meson.build").read_text()
    listed = set(re.findall(r"\b(\w+)_dep\b", build)) & set(MAY_USE) - {folder}
    for extra in sorted(listed - MAY_USE[folder]):
        problem(SOURCE / folder / "meson.build", 1, f"src/{folder} may not use src/{extra}")
    if not (SOURCE / folder / f"{folder}.h").exists():
        problem(SOURCE / folder / "meson.build", 1, f"there is no {folder}.h")
    for path in sorted((SOURCE / folder).glob("*.[ch]")):
        check_file(path, folder)
        if folder in NO_HEAP and path.suffix == ".c":
            check_heap(path)


def check_heap(path):
    """In auth only what lives as long as the process comes from the heap: in *_open, *_new and table growth."""
    function = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        begin = re.match(r"(?:[a-z].*[ *])?(\w+)\(", line)
        if begin and not line.endswith(";"):
            function = begin[1]
        if re.search(r"\b(malloc|calloc|realloc|strdup)\s*\(", line):
            if not re.search(r"(_open|_new|_init|_grow|_make|_build|_load)$|^(new|open|grow|build|make|load)_", function):
                problem(path, number, f"{function}() takes memory from the heap; requests use their arena")


def main():
    for folder in MAY_USE:
        check_folder(folder)
    folders = {p.name for p in SOURCE.iterdir() if p.is_dir()}
    for stranger in sorted(folders - set(MAY_USE)):
        problem(SOURCE / stranger, 0, "a folder that no layer is")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
