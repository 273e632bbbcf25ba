#!/usr/bin/env python3
"""A proxy for MongoDB's protocol that makes one server look like a replica set, and lets it fail on command.

usage: fault_proxy.py HOST:PORT CONTROL_PORT MEMBER_PORT... [--set NAME] [--dedupe]

Every member port leads to the same server; the first begins as the primary. --dedupe answers a repeated write (same
session and transaction number) from memory, for servers that do not remember it themselves.

On the control port each line is a command and gets one line of JSON. "@N" in front of it means member N only.
COMMANDS is `writes`, `reads`, `all`, or names joined by commas; FOR is a count (3) or a time (2.5s).

  fail CODE COMMANDS FOR     answer with this error, pass nothing on
  concern CODE COMMANDS FOR  pass it on, then put a write concern error into the reply
  lose COMMANDS FOR          pass it on, then close the connection instead of replying
  mute COMMANDS FOR          pass it on, never reply, keep the connection
  drop COMMANDS FOR          close the connection, pass nothing on
  delay MS COMMANDS FOR      wait before passing it on
  lie COMMANDS FOR           pass nothing on, answer as if it were done: the planted fault of positive controls
  cut                        reset the connections, once
  refuse TIME                reset the connections, and take no new ones
  blackhole TIME             take everything, pass nothing
  noprimary TIME             no member is primary
  primary N                  member N is primary now
  failover TIME              reset the connections; no primary for this time, then the next member
  clear                      end all of these
  status                     faults that are left, primary, connections, commands by name
  log [N]                    the last N commands: [time, member, name, transaction number, what became of it, collection]
"""
import argparse
import asyncio
import collections
import contextlib
import dataclasses
import json
import struct
import time

import bson

from wire import read_message

WRITES = {"insert", "update", "delete", "findAndModify", "findandmodify", "create", "createIndexes", "collMod",
          "dropIndexes", "drop", "dropDatabase", "bulkWrite", "commitTransaction"}
READS = {"find", "aggregate", "count", "distinct", "getMore", "listCollections", "listIndexes"}
HELLO = {"hello", "isMaster", "ismaster"}
NAMES = {6: "HostUnreachable", 7: "HostNotFound", 13: "Unauthorized", 50: "MaxTimeMSExpired", 64: "WriteConcernFailed",
         89: "NetworkTimeout", 91: "ShutdownInProgress", 100: "UnsatisfiableWriteConcern", 112: "WriteConflict",
         189: "PrimarySteppedDown", 262: "ExceededTimeLimit", 10107: "NotWritablePrimary", 11000: "DuplicateKey",
         11600: "InterruptedAtShutdown", 11602: "InterruptedDueToReplStateChange", 13435: "NotPrimaryNoSecondaryOk",
         14031: "OutOfDiskSpace"}
RETRYABLE = {6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
NOT_PRIMARY, NOT_PRIMARY_NO_READ = 10107, 13435
POLL_S = 0.02
LOG_LENGTH, MEMORY_LENGTH = 5000, 5000


def is_of(name, group):
    return {"all": name not in HELLO, "writes": name in WRITES, "reads": name in READS}.get(group, name == group)


def collection_of(request):
    of = request.body.get("collection" if request.name == "getMore" else request.name)
    return of if isinstance(of, str) else None


@dataclasses.dataclass
class Fault:
    kind: str
    argument: int
    member: int | None
    commands: tuple
    count: int | None = None
    until: float | None = None

    @property
    def is_over(self):
        return self.count == 0 or (self.until is not None and time.monotonic() > self.until)

    def takes(self, member, name):
        if self.is_over or self.member not in (None, member) or not any(is_of(name, c) for c in self.commands):
            return False
        if self.count is not None:
            self.count -= 1
        return True


class Member:
    def __init__(self, index, port):
        self.index, self.port = index, port
        self.host = f"127.0.0.1:{port}"
        self.server = None
        self.connections = set()
        self.hole_until = self.down_until = 0.0

    async def listen(self, proxy):
        async def talk(reader, writer):
            await proxy.later(Conversation(proxy, self, reader, writer).run())
        if self.server is None:
            self.server = await asyncio.start_server(talk, "127.0.0.1", self.port, backlog=256)

    def cut(self):
        for writer in list(self.connections):
            writer.transport.abort()

    async def refuse(self, proxy, seconds):
        self.down_until = time.monotonic() + seconds
        if self.server:
            self.server.close()
            self.server = None
        self.cut()
        while time.monotonic() < self.down_until:
            await asyncio.sleep(POLL_S)
        await self.listen(proxy)

    async def out_of_the_hole(self):
        while time.monotonic() < self.hole_until:
            await asyncio.sleep(POLL_S)


class Proxy:
    def __init__(self, arguments):
        self.host, _, port = arguments.server.rpartition(":")
        self.port = int(port)
        self.set_name, self.dedupe = arguments.set, arguments.dedupe
        self.members = [Member(i, p) for i, p in enumerate(arguments.members)]
        self.primary, self.term, self.no_primary_until = 0, 1, 0.0
        self.faults, self.counts = [], collections.Counter()
        self.log = collections.deque(maxlen=LOG_LENGTH)
        self.memory = collections.OrderedDict()
        self.tasks = set()

    # ---- what is to become of a command

    def fault_for(self, member, name):
        self.faults = [f for f in self.faults if not f.is_over]
        return next((f for f in self.faults if f.takes(member.index, name)), None)

    def is_primary(self, member):
        return member.index == self.primary and time.monotonic() > self.no_primary_until

    def hello(self, member, body):
        """The server's answer as a member of the set would give it; no compression, no streaming: all stays readable."""
        leave_out = {"topologyVersion", "compression", "primary", "msg", "electionId", "lastWrite", "$clusterTime"}
        body = {k: v for k, v in body.items() if k not in leave_out}
        is_primary = self.is_primary(member)
        body.update(isWritablePrimary=is_primary, ismaster=is_primary, secondary=not is_primary, setName=self.set_name,
                    setVersion=1, hosts=[m.host for m in self.members], me=member.host, logicalSessionTimeoutMinutes=30)
        if time.monotonic() > self.no_primary_until:
            body["primary"] = self.members[self.primary].host
        if is_primary:
            body["electionId"] = bson.ObjectId(b"\x7f\xff\xff\xff" + struct.pack(">q", self.term))
        return body

    def refusal(self, member, request):
        """The error of a member that is not primary; None where it answers all the same."""
        if self.is_primary(member):
            return None
        if request.name in WRITES:
            return NOT_PRIMARY
        mode = request.body.get("$readPreference", {}).get("mode", "primary")
        return NOT_PRIMARY_NO_READ if request.name in READS - {"getMore"} and mode == "primary" else None

    def note(self, member, request, outcome):
        if request.name not in HELLO:
            self.log.append([round(time.time(), 3), member.index, request.name, request.body.get("txnNumber"), outcome,
                             collection_of(request)])

    # ---- commands

    def later(self, work):
        """Sees it through: a task that only waits for a stream is nobody's, and collected when its client is gone."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def command(self, line):
        words = line.split()
        only = int(words.pop(0)[1:]) if words[0].startswith("@") else None
        members = self.members if only is None else [self.members[only]]
        name, *rest = words
        handler = getattr(self, f"on_{name}", None)
        if name in ("fail", "concern", "delay"):
            self.add_fault(name, int(rest[0]), only, *rest[1:])
        elif name in ("lose", "mute", "drop", "lie"):
            self.add_fault(name, 0, only, *rest)
        elif handler is None:
            return {"error": f"no such command: {name}"}
        else:
            answer = handler(members, *rest)
            if answer is not None:
                return answer
        return self.on_status(members)

    def add_fault(self, kind, argument, member, commands, duration):
        timed = duration.endswith("s")
        self.faults.append(Fault(kind, argument, member, tuple(commands.split(",")),
                                 count=None if timed else int(duration),
                                 until=time.monotonic() + seconds_of(duration) if timed else None))

    def on_cut(self, members):
        for member in members:
            member.cut()

    def on_refuse(self, members, duration):
        for member in members:
            self.later(member.refuse(self, seconds_of(duration)))

    def on_blackhole(self, members, duration):
        for member in members:
            member.hole_until = time.monotonic() + seconds_of(duration)

    def on_noprimary(self, _, duration):
        self.no_primary_until = time.monotonic() + seconds_of(duration)
        self.term += 1

    def on_primary(self, _, index):
        self.primary, self.no_primary_until = int(index), 0.0
        self.term += 1

    def on_failover(self, members, duration):
        self.primary = (self.primary + 1) % len(self.members)
        self.on_noprimary(members, duration)
        self.on_cut(members)

    def on_clear(self, _):
        self.faults, self.no_primary_until = [], 0.0
        for member in self.members:
            member.hole_until = member.down_until = 0.0
            self.later(member.listen(self))

    def on_status(self, _):
        primary = self.primary if time.monotonic() > self.no_primary_until else None
        return {"ok": 1, "primary": primary, "counts": self.counts,
                "faults": [f"{f.kind} {','.join(f.commands)}" for f in self.faults if not f.is_over],
                "connections": [len(m.connections) for m in self.members]}

    def on_log(self, _, count="50"):
        return list(self.log)[-int(count):]

    async def control(self, reader, writer):
        while line := (await reader.readline()).decode().strip():
            try:
                answer = self.command(line)
            except (ValueError, TypeError, IndexError) as error:
                answer = {"error": repr(error)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def run(self, control_port):
        for member in self.members:
            await member.listen(self)
        async with await asyncio.start_server(self.control, "127.0.0.1", control_port):
            print("ready", flush=True)
            await asyncio.Event().wait()


class Conversation:
    """One client's connection to a member, and its own to the server."""
    def __init__(self, proxy, member, reader, writer):
        self.proxy, self.member = proxy, member
        self.from_client, self.to_client = reader, writer
        self.from_server = self.to_server = None

    async def run(self):
        if time.monotonic() < self.member.down_until:
            self.to_client.transport.abort()
            return
        self.member.connections.add(self.to_client)
        try:
            await self.member.out_of_the_hole()
            self.from_server, self.to_server = await asyncio.open_connection(self.proxy.host, self.proxy.port)
            while await self.answer_one():
                pass
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.member.connections.discard(self.to_client)
            for writer in (self.to_client, self.to_server):
                if writer:
                    writer.close()

    async def send(self, data):
        await self.member.out_of_the_hole()
        self.to_client.write(data)
        await self.to_client.drain()
        return True

    def note(self, request, outcome):
        self.proxy.note(self.member, request, outcome)

    def error(self, request, code):
        body = {"ok": 0.0, "errmsg": f"injected {NAMES.get(code, code)}", "code": code,
                "codeName": NAMES.get(code, f"Location{code}")}
        if code in RETRYABLE and "txnNumber" in request.body:
            body["errorLabels"] = ["RetryableWriteError"]
        return request.reply(body)

    async def answer_one(self):
        """One command of the client; false: this conversation is over."""
        request = await read_message(self.from_client)
        await self.member.out_of_the_hole()
        self.proxy.counts[request.name] += 1
        fault = self.proxy.fault_for(self.member, request.name)
        kind = fault.kind if fault else None
        if kind == "delay":
            await asyncio.sleep(fault.argument / 1000)
        elif kind in ("drop", "fail", "lie"):
            return await self.do_not_pass(request, fault)
        code = self.proxy.refusal(self.member, request)
        if code is not None:
            self.note(request, "not primary")
            return await self.send(self.error(request, code))
        return await self.pass_on(request, fault)

    async def do_not_pass(self, request, fault):
        self.note(request, fault.kind)
        if fault.kind == "drop":
            self.to_client.transport.abort()
            return False
        if fault.kind == "fail":
            return await self.send(self.error(request, fault.argument))
        return await self.send(request.reply({"n": 1, "nModified": 1, "ok": 1.0}))

    def memory_key(self, request):
        body = request.body
        if not self.proxy.dedupe or "txnNumber" not in body or "lsid" not in body or "autocommit" in body:
            return None
        return bytes(body["lsid"]["id"]), body["txnNumber"]

    async def pass_on(self, request, fault):
        key = self.memory_key(request)
        if key in self.proxy.memory:
            return await self.finish(request, fault, request.reply(self.proxy.memory[key]), "remembered")
        raw = request.raw
        if request.name in HELLO:
            leave_out = {"topologyVersion", "maxAwaitTimeMS", "compression"}
            raw = request.with_body({k: v for k, v in request.body.items() if k not in leave_out})
        self.to_server.write(raw)
        await self.to_server.drain()
        if request.more_to_come:
            self.note(request, "unacknowledged")
            return True
        reply = await read_message(self.from_server)
        if key and reply.body.get("ok") == 1:
            self.remember(key, reply.body)
        return await self.finish(request, fault, self.dressed(request, reply, fault), "passed")

    def remember(self, key, body):
        self.proxy.memory[key] = body
        if len(self.proxy.memory) > MEMORY_LENGTH:
            self.proxy.memory.popitem(last=False)

    def dressed(self, request, reply, fault):
        if request.name in HELLO and self.proxy.set_name:
            return reply.with_body(self.proxy.hello(self.member, reply.body))
        if fault and fault.kind == "concern":
            code = fault.argument
            concern = {"code": code, "codeName": NAMES.get(code, f"Location{code}"), "errmsg": "injected"}
            return reply.with_body({**reply.body, "writeConcernError": concern})
        return reply.raw

    async def finish(self, request, fault, data, outcome):
        kind = fault.kind if fault else None
        self.note(request, kind or outcome)
        if kind == "lose":
            self.to_client.transport.abort()
            return False
        if kind == "mute":
            await self.from_client.read(1)  # until the client gives up
            return False
        return await self.send(data)


def seconds_of(text):
    return float(text.removesuffix("s"))


def main():
    parser = argparse.ArgumentParser(usage="fault_proxy.py HOST:PORT CONTROL_PORT MEMBER_PORT...")
    parser.add_argument("server")
    parser.add_argument("control", type=int)
    parser.add_argument("members", type=int, nargs="+")
    parser.add_argument("--set", default="rs0", help="the replica set's name; empty: hello stays as it is")
    parser.add_argument("--dedupe", action="store_true")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Proxy(arguments).run(arguments.control))


if __name__ == "__main__":
    main()
