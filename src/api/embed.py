#!/usr/bin/env python3
"""Turns a file into C: its bytes, and an ETag that changes with them.

    embed.py openapi.yaml openapi_text.c

Portable to every compiler, and the build system knows what depends on what; .incbin has neither.
"""
import hashlib
import pathlib
import sys

PER_LINE = 16

data = pathlib.Path(sys.argv[1]).read_bytes()
lines = [data[i:i + PER_LINE] for i in range(0, len(data), PER_LINE)]
text = "\n".join("    " + " ".join(f"{byte}," for byte in line) for line in lines)
tag = hashlib.sha256(data).hexdigest()[:16]
pathlib.Path(sys.argv[2]).write_text(f"""/* Made by embed.py from {pathlib.Path(sys.argv[1]).name}. */
#include "openapi.h"

static const unsigned char bytes[] = {{
{text}
}};
const struct span api_openapi_text = {{ (const char *)bytes, sizeof bytes }};
const struct span api_openapi_etag = {{ "\\"{tag}\\"", {len(tag) + 2} }};
""")
