"""A door in front of a server that asks for a client's certificate and takes its subject for the user, as mongod does with
authMechanism=MONGODB-X509, which none of the servers that tests can have knows.

Until a connection has said `authenticate`, in its hello or as a command, as the very subject of its certificate, and that
subject is a user, it gets error 13 to everything else. Behind the door everything passes.
"""
import asyncio
import contextlib
import ssl
import threading

from wire import read_message

HELLO = {"hello", "isMaster", "ismaster"}
UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18
SHORT = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C"}


def subject_of(certificate):
    """As RFC 2253 writes it: the last part first."""
    return ",".join(f"{SHORT[name]}={value}" for ((name, value),) in reversed(certificate["subject"]))


class Gate:
    """`users` are subjects; `said` is what connections authenticated with: (mechanism, user, database)."""
    def __init__(self, server, certificate, key, authority, users, speculates=True):
        self.server_port, self.users, self.speculates, self.said = server.port, users, speculates, []
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
        self.tls.load_cert_chain(certificate, key)
        self.tls.verify_mode = ssl.CERT_REQUIRED
        self.loop, self.host = asyncio.new_event_loop(), None

    async def listen(self):
        listener = await asyncio.start_server(self.talk, "127.0.0.1", 0, ssl=self.tls)
        self.host = "127.0.0.1:%d" % listener.sockets[0].getsockname()[1]

    def __enter__(self):
        self.loop.run_until_complete(self.listen())
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def is_user(self, subject, command, database):
        self.said.append((command.get("mechanism"), command.get("user"), database))
        return command.get("mechanism") == "MONGODB-X509" and database == "$external" \
            and command.get("user", subject) == subject and subject in self.users

    async def talk(self, reader, writer):
        subject, is_in = subject_of(writer.get_extra_info("peercert")), False
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            behind = await asyncio.open_connection("127.0.0.1", self.server_port)
            while True:
                request = await read_message(reader)
                if request.name in HELLO:
                    answer, speculated = await self.hello(behind, request, subject)
                    is_in = is_in or speculated
                elif request.name == "authenticate":
                    is_in = self.is_user(subject, request.body, request.body["$db"])
                    answer = request.reply({"ok": 1.0}) if is_in else error(request, AUTHENTICATION_FAILED)
                else:
                    answer = (await ask(behind, request.raw)).raw if is_in else error(request, UNAUTHORIZED)
                writer.write(answer)
                await writer.drain()
        writer.close()

    async def hello(self, behind, request, subject):
        """The server's answer as that of a set whose one member is this door; and did the client come in with it?"""
        leave_out = {"topologyVersion", "maxAwaitTimeMS", "compression", "speculativeAuthenticate"}
        body = {k: v for k, v in request.body.items() if k not in leave_out}
        reply = await ask(behind, request.with_body(body))
        body = {k: v for k, v in reply.body.items() if k not in leave_out}
        body.update(hosts=[self.host], me=self.host, primary=self.host)
        attempt = request.body.get("speculativeAuthenticate")
        is_in = bool(attempt) and self.speculates and self.is_user(subject, attempt, attempt.get("db", "$external"))
        if is_in:
            body["speculativeAuthenticate"] = {"dbname": "$external", "user": subject}
        return request.reply(body), is_in


async def ask(behind, raw):
    behind[1].write(raw)
    return await read_message(behind[0])


def error(request, code):
    return request.reply({"ok": 0.0, "errmsg": "not by this door", "code": code})
