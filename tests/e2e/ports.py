"""Ports for servers that tests start."""
import contextlib
import itertools
import os
import random
import socket

# Below the range from which the kernel gives ports to connections, so that none of those takes one meanwhile.
FIRST, PART, PARTS = 10000, 2750, 8
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

turns = itertools.count(random.randrange(PART))


def free_port(address="127.0.0.1"):
    """Each worker of a run has a part of its own and goes round in it: nobody else takes a port that was chosen and is not yet
    listened on, or whose server is only being restarted."""
    while True:
        port = FIRST + WORKER % PARTS * PART + next(turns) % PART
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((address, port))
            return port
