#!/usr/bin/env python3
"""Turns files into C: for each its bytes, as they are and compressed, and ETags that change with them.

    embed.py pages_table.c /openapi.yaml=openapi.yaml [/app/=DIRECTORY ...] [--depfile FILE]

A directory stands for all files in it, index.html under the path itself. String literals are what every compiler
reads fastest, and the build system knows what depends on what; .incbin has neither.
"""
import argparse
import gzip
import hashlib
import pathlib
import re

BYTES_PER_LINE = 64
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".yaml": "application/yaml",
}
# Vite puts a hash of the content behind the name: index-DiwrgTda.js
NAMED_BY_CONTENT = re.compile(r"/assets/.*-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
ESCAPES = [f"\\{byte:03o}" for byte in range(256)]


def files_of(path, place):
    if place.is_file():
        return [(path, place)]
    found = sorted(file for file in place.rglob("*") if file.is_file())
    return [(path + ("" if file == place / "index.html" else file.relative_to(place).as_posix()), file) for file in found]


def literal(data):
    lines = (data[i:i + BYTES_PER_LINE] for i in range(0, len(data), BYTES_PER_LINE))
    return "\n".join('    "' + "".join(ESCAPES[byte] for byte in line) + '"' for line in lines) or '    ""'


def span(name, data):
    return f"{{ {name}, {len(data)} }}"


def page(number, path, data):
    """The C of one file's bytes, and its line in the table."""
    small = gzip.compress(data, 9, mtime=0)
    small = small if len(small) < len(data) * 0.9 else b""
    tag = hashlib.sha256(data).hexdigest()[:16]
    kind = TYPES[pathlib.PurePath(path).suffix or ".html"]
    texts = {"text": data, "small": small} if small else {"text": data}
    code = "".join(f"static const char {name}_{number}[] =\n{literal(bytes_)};\n" for name, bytes_ in texts.items())
    return code, f"""    {{ .path = SPAN_INIT("{path}"),
      .content_type = SPAN_INIT("{kind}"),
      .text = {span(f"text_{number}", data)},
      .gzip = {span(f"small_{number}", small) if small else "{ 0 }"},
      .etag = SPAN_INIT("\\"{tag}\\""),
      .gzip_etag = SPAN_INIT("\\"{tag}-gzip\\""),
      .lasts = {"true" if NAMED_BY_CONTENT.search(path) else "false"} }},
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("pages", nargs="+")
    parser.add_argument("--depfile", type=pathlib.Path)
    arguments = parser.parse_args()
    files = [one for pair in arguments.pages for one in files_of(pair.partition("=")[0], pathlib.Path(pair.partition("=")[2]))]
    made = [page(number, path, file.read_bytes()) for number, (path, file) in enumerate(files)]
    arguments.output.write_text(f"""/* Made by embed.py. */
#include "pages.h"

#define SPAN_INIT(literal) {{ literal, sizeof(literal) - 1 }}
#pragma GCC diagnostic ignored "-Woverlength-strings"

{"".join(code for code, _ in made)}
const struct api_page api_pages[] = {{
{"".join(line for _, line in made)}}};
const size_t api_page_count = sizeof(api_pages) / sizeof(api_pages[0]);
""")
    if arguments.depfile:
        arguments.depfile.write_text(f"{arguments.output}: {' '.join(str(file) for _, file in files)}\n")


main()
