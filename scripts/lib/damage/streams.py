# SPDX-License-Identifier: MIT
"""Streams as they come from antennas, cameras and networks: what scripts/damage-sweep makes of clean ones.

A stream is a list of units: NAL units, MPEG-2 start codes with what follows them, or whole frames of an IVF file. Only
units of pictures before the last random access point are damaged, so what follows must come out as if nothing had been.
Encoders have their own idea of how long a group is: where that point is, the stream says.
"""

import dataclasses
import random
import re
import struct
import subprocess

GOP, GOPS = 12, 3
PICTURES = GOP * GOPS
SIZE = '352x288'


@dataclasses.dataclass(frozen=True)
class Kind:
    """A codec as it is encoded here; `slices`: of a picture, which can be damaged one by one."""
    name: str
    suffix: str
    arguments: tuple
    slices: int = 1


X264 = ('-c:v', 'libx264', '-preset', 'fast', '-bf', '2', '-g', str(GOP), '-x264-params')
X265 = ('-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params')
KEYS = f'keyint={GOP}:min-keyint={GOP}:scenecut=0'
VPX = ('-deadline', 'realtime', '-cpu-used', '8', '-g', str(GOP), '-keyint_min', str(GOP), '-auto-alt-ref', '0', '-b:v', '800k')
MPEG2 = ('-c:v', 'mpeg2video', '-g', str(GOP), '-bf', '2', '-b:v', '1500k', '-sc_threshold', '1000000000')
KINDS = (
    Kind('h264', 'h264', (*X264, f'{KEYS}:slices=4:repeat-headers=1'), 4),
    Kind('h264-mbaff', 'h264', (*X264[:-1], '-flags', '+ildct+ilme', '-x264-params', f'{KEYS}:tff=1:repeat-headers=1')),
    Kind('hevc', 'h265', (*X265, f'{KEYS}:open-gop=0:slices=3:log-level=none:repeat-headers=1'), 3),
    Kind('mpeg2', 'm2v', (*MPEG2, '-flags', '+cgop')),
    Kind('mpeg2-interlaced', 'm2v', (*MPEG2, '-flags', '+cgop+ildct+ilme', '-top', '1')),
    Kind('vp8', 'ivf', ('-c:v', 'libvpx', *VPX)),
    Kind('vp9', 'ivf', ('-c:v', 'libvpx-vp9', *VPX)),
    Kind('av1', 'ivf', ('-c:v', 'libaom-av1', '-cpu-used', '8', '-g', str(GOP), '-keyint_min', str(GOP), '-b:v', '800k')),
)
HARMS = ('noise', 'lost', 'slices-twice', 'slices-swapped', 'slices-missing', 'joined')


def encode(kind, path):
    """Noise in the picture, so that every macroblock has something to lose."""
    source = f'testsrc2=s={SIZE}:r=25,noise=alls=8:allf=t:all_seed=1'
    subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', source, '-frames:v', str(PICTURES), '-pix_fmt',
                    'yuv420p', *kind.arguments, path], check=True)


@dataclasses.dataclass
class Unit:
    data: bytes
    picture: int = -1  # of which it is a part, in decoding order; -1: of none
    slice: bool = False
    first: bool = False  # the first slice of its picture
    clean: bool = False  # of a picture at which decoding can begin


# Whether a frame of an IVF file is one at which decoding can begin, by its first bytes.
KEY_FRAME = {
    'vp8': lambda frame: not frame[0] & 1,
    'vp9': lambda frame: not frame[0] & 0xc,  # show_existing_frame, frame_type
    'av1': lambda frame: frame[2] >> 3 & 15 == 1,  # a sequence header OBU behind the temporal delimiter, of two bytes
}


def split(kind, data):
    """The units of a stream, and what is in front of them."""
    if kind.suffix == 'ivf':
        units, at = [], 32
        while at < len(data):
            size = 12 + struct.unpack_from('<I', data, at)[0]
            units.append(Unit(data[at:at + size], len(units), True, True, KEY_FRAME[kind.name](data[at + 12:at + size])))
            at += size
        return data[:32], units
    starts = [match.start() for match in re.finditer(b'\0\0\1', data)] + [len(data)]
    units, picture = [], -1
    for start, end in zip(starts, starts[1:]):
        unit = Unit(data[start:end])
        code, first = data[start + 3], False
        if kind.suffix == 'h264':
            unit.slice = code & 31 in (1, 5)
            first = unit.slice and data[start + 4] >= 0x80  # first_mb_in_slice: 0
            unit.clean = code & 31 == 5
        elif kind.suffix == 'h265':
            unit.slice = (code >> 1) & 63 < 32
            first = unit.slice and data[start + 5] >= 0x80  # first_slice_segment_in_pic_flag
            unit.clean = 16 <= (code >> 1) & 63 <= 23
        else:
            unit.slice = 1 <= code <= 0xaf
            first = code == 0  # the picture header
            unit.clean = first and (data[start + 5] >> 3) & 7 == 1  # picture_coding_type: I
        picture += first
        if unit.slice or first:
            unit.picture, unit.first = picture, first
        units.append(unit)
    return data[:starts[0]], units


def last_clean(units):
    """The last picture at which decoding can begin: from there on a stream stays whole."""
    return max(unit.picture for unit in units if unit.clean)


def damage(harm, kind, units, seed):
    """The units after it; None if such a stream has nothing that could be harmed so."""
    chance = random.Random(f'{kind.name} {harm} {seed}')
    last = last_clean(units)

    def may(unit):
        return 0 < unit.picture < last and unit.slice

    if harm == 'noise':
        often = chance.choice((300, 1000, 3000))
        for unit in filter(may, units):
            head = 12 if kind.suffix == 'ivf' else 4
            data = bytearray(unit.data)
            for at in range(head, len(data)):
                if chance.randrange(often) == 0:
                    data[at] = chance.randrange(1, 256)  # no zeros: a start code would be another unit
            unit.data = bytes(data)
        return units
    if harm == 'lost':
        lost = {picture for picture in range(1, last) if chance.randrange(8) == 0} or {5}
        return [unit for unit in units if unit.picture not in lost]
    if harm == 'joined':  # without the first random access point
        if kind.suffix == 'ivf':
            return None  # clients give a device no frame of VP8, VP9 or AV1 before a key frame
        return [unit for unit in units if unit.picture < 0 or unit.picture >= 3]
    if kind.slices == 1:
        return None
    if harm == 'slices-twice':
        return [unit for one in units for unit in [one] * (1 + (may(one) and not one.first and chance.randrange(5) == 0))]
    if harm == 'slices-missing':
        return [unit for unit in units if not (may(unit) and chance.randrange(12) == 0)]
    order = list(units)
    for a, b in zip(range(len(order)), range(1, len(order))):
        if may(order[a]) and may(order[b]) and order[a].picture == order[b].picture and not order[a].first and chance.randrange(3) == 0:
            order[a], order[b] = order[b], order[a]
    return order


def write(path, head, units):
    with open(path, 'wb') as file:
        file.write(head + b''.join(unit.data for unit in units))
