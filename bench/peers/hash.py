"""python-bcrypt (the Rust crate's code since 4.0): hash.py COST COUNT"""
import sys

import bcrypt

cost, count = map(int, sys.argv[1:])
for _ in range(count):
    assert bcrypt.hashpw(b"correct horse battery", bcrypt.gensalt(cost)).startswith(b"$2b$")
