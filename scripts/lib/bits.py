# SPDX-License-Identifier: MIT
"""Bits of H.264, HEVC and VP9 headers as text of 0 and 1, and the NAL units that they come in."""

import re


class BitReader:
    def __init__(self, data):
        self.bits = ''.join(f'{byte:08b}' for byte in data)
        self.at = 0

    def u(self, count):
        value = self.bits[self.at : self.at + count]
        self.at += count
        return int(value, 2) if count else 0

    def ue(self):
        zeros = self.bits.index('1', self.at) - self.at
        self.at += zeros
        return self.u(zeros + 1) - 1

    def se(self):
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def rest(self):
        return self.bits[self.at :]


class BitWriter:
    def __init__(self):
        self.bits = ''

    def u(self, count, value):
        self.bits += f'{value:0{count}b}' if count else ''

    def ue(self, value):
        text = f'{value + 1:b}'
        self.bits += '0' * (len(text) - 1) + text

    def se(self, value):
        self.ue(2 * value - 1 if value > 0 else -2 * value)


def trailing(bits):
    """rbsp_trailing_bits (7.3.2.11)."""
    bits += '1'
    return bits + '0' * (-len(bits) % 8)


def without_trailing(bits):
    return bits[: bits.rindex('1')]


def to_bytes(bits):
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def split(stream):
    """The NAL units of an Annex B stream, without start codes and emulation prevention."""
    parts = re.split(rb'\x00*\x00\x00\x01', stream)[1:]
    return [part.replace(b'\x00\x00\x03', b'\x00\x00') for part in parts]


def join(nals):
    return b''.join(b'\x00\x00\x00\x01' + re.sub(rb'\x00\x00(?=[\x00-\x03])', b'\x00\x00\x03', nal) for nal in nals)


def nal_type(nal):
    return nal[0] & 31


def read_scaling(reader, lists):
    """The bits of scaling lists (7.3.2.1.1.1)."""
    start = reader.at
    for number in range(lists):
        if not reader.u(1):
            continue
        last = following = 8
        for _ in range(16 if number < 6 else 64):
            if following:
                following = (last + reader.se()) % 256
            last = following or last
    return reader.bits[start : reader.at]
