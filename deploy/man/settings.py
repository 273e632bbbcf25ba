#!/usr/bin/env python3
"""Writes doorward(5) from the table of the settings: settings.py docs/settings.md doorward.5"""
import pathlib
import re
import sys

ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| (.*?) \| (.*?) \| (.*?) \|$", re.M)
HEAD = r""".TH DOORWARD 5 "" "Doorward" "File formats"
.SH NAME
doorward \- settings of the authentication service
.SH DESCRIPTION
Settings come from the environment, over the file
.I .env
in the working directory or the one that
.B \-\-env\-file
names, over the defaults. A line of the file is NAME=VALUE. What is secret, DB_URI, JWT_SECRET, JWT_SECRET_PREVIOUS and MASTER_KEY, may
lie in a file of its own that NAME_FILE names, private to the user who runs it. A bad value, or an unknown name in the file, stops the start with one line that says what is allowed.
.B doorward config
prints every effective value and where it came from.
.SH SETTINGS
"""
TAIL = r""".SH SEE ALSO
.BR doorward (1)
"""


def roff(text):
    return text.replace("`", "").replace("\\|", "|").replace("\\", r"\e").replace("-", r"\-")


rows = ROW.findall(pathlib.Path(sys.argv[1]).read_text())
if not rows:
    sys.exit(f"{sys.argv[1]}: there is no table of settings")
entries = (f".TP\n.B {name}\n{roff(text)}.\nAllowed: {roff(allowed)}.\nDefault: {roff(default)}.\n" for name, default, allowed, text in rows)
pathlib.Path(sys.argv[2]).write_text(HEAD + "".join(entries) + TAIL)
