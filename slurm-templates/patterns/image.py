"""PNG pictures with the standard library only. Templates that draw fields carry the same copy of this file."""

import struct
import zlib


def ramp(stops, t):
    """The colour at t, 0 to 1, between (position, (r, g, b)) stops."""
    t = min(1.0, max(0.0, t))
    for (a, low), (b, high) in zip(stops, stops[1:]):
        if t <= b:
            f = (t - a) / (b - a)
            return bytes(round(x + f * (y - x)) for x, y in zip(low, high))
    return bytes(stops[-1][1])


def png(rows):
    """The PNG's bytes. `rows`: each the bytes r, g, b of its pixels, all of one length."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) & 0xFFFFFFFF)

    head = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
