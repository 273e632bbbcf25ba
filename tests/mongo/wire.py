"""MongoDB's wire protocol as far as a proxy needs it: whole messages, and the document that says what each one is."""
import struct

import bson
from bson.codec_options import CodecOptions, DatetimeConversion

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
HEAD = struct.Struct("<iiii")  # length, id, id that is answered, operation
CHECKSUM_PRESENT, MORE_TO_COME = 1, 2
# Whatever a driver sends comes out again as it was: dates out of Python's range as well.
OPTIONS = CodecOptions(document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_MS)


async def read_message(stream):
    head = await stream.readexactly(HEAD.size)
    return Message(head + await stream.readexactly(HEAD.unpack(head)[0] - HEAD.size))


class Message:
    """One message: `raw` as it came, `body` its command or reply; document sequences beside it are left alone."""
    def __init__(self, raw):
        self.raw = raw
        _, self.id, _, self.operation = HEAD.unpack_from(raw)
        start = self._body_start()
        self._body = slice(start, start + struct.unpack_from("<i", raw, start)[0])
        self.body = bson.decode(raw[self._body], OPTIONS)

    def _body_start(self):
        if self.operation == OP_MSG:
            at = HEAD.size + 4
            while self.raw[at] == 1:  # document sequences may stand before the body
                at += 1 + struct.unpack_from("<i", self.raw, at + 1)[0]
            return at + 1
        if self.operation == OP_QUERY:
            return self.raw.index(0, HEAD.size + 4) + 1 + 8
        if self.operation == OP_REPLY:
            return HEAD.size + 20
        raise ValueError(f"operation {self.operation} is not spoken here")

    @property
    def flags(self):
        return struct.unpack_from("<I", self.raw, HEAD.size)[0] if self.operation == OP_MSG else 0

    @property
    def more_to_come(self):
        """No answer is expected, or another one follows."""
        return bool(self.flags & MORE_TO_COME)

    @property
    def name(self):
        return next(iter(self.body), "")

    def with_body(self, body):
        """The same message around another body."""
        before, after = self.raw[HEAD.size:self._body.start], self.raw[self._body.stop:]
        if self.operation == OP_MSG:
            before = struct.pack("<I", self.flags & ~CHECKSUM_PRESENT) + before[4:]
            after = after[:-4] if self.flags & CHECKSUM_PRESENT else after
        rest = before + bson.encode(body, codec_options=OPTIONS) + after
        return struct.pack("<i", HEAD.size + len(rest)) + self.raw[4:HEAD.size] + rest

    def reply(self, body):
        """The bytes that answer this request."""
        if self.operation == OP_QUERY:
            rest, operation = struct.pack("<iqii", 8, 0, 0, 1), OP_REPLY
        else:
            rest, operation = struct.pack("<I", 0) + b"\0", OP_MSG
        rest += bson.encode(body, codec_options=OPTIONS)
        return HEAD.pack(HEAD.size + len(rest), 0, self.id, operation) + rest
