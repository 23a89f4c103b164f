# SPDX-License-Identifier: MIT
"""Streams that fixtures/ does not have: longer ones in a container, to seek in, and two sizes in one IVF file."""

import hashlib
import os
import shutil
import struct
import subprocess
import tempfile

import streams as library

ENCODERS = {'mpeg2': 'mpeg2video -b:v 1M', 'h264': 'libx264 -preset veryfast', 'hevc': 'libx265 -preset ultrafast',
            'vp8': 'libvpx -b:v 500k -deadline realtime', 'vp9': 'libvpx-vp9 -b:v 500k -deadline realtime -cpu-used 8',
            'av1': 'libaom-av1 -b:v 500k -cpu-used 8 -lag-in-frames 10'}
CLIP = '-f lavfi -i testsrc2=s=320x240:r=25 -frames:v 60 -pix_fmt yuv420p -g 12 -threads 1'  # 2.4 s
JOINED = {'vp8': ('partitions.ivf', 'plain.ivf'), 'vp9': ('plain.ivf', 'tiles.ivf'),
          'av1': ('plain.ivf', 'tiles.ivf')}  # the others have fixtures for it


def join(parts):
    """One IVF file: the frames of all, one after the other, numbered anew."""
    joined, count = [parts[0][:32]], 0
    for part in parts:
        at = 32
        while at < len(part):
            size = struct.unpack_from('<I', part, at)[0]
            joined.append(struct.pack('<IQ', size, count) + part[at + 12 : at + 12 + size])
            at, count = at + 12 + size, count + 1
    return b''.join(joined)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def make(fixtures):
    """A folder per codec, in the cache, as library.find() takes it."""
    key = hashlib.sha256(repr((library.ffmpeg_version(), ENCODERS, CLIP, JOINED, 'recipe 2')).encode()).hexdigest()[:12]
    folder = os.path.join(library.cache_dir(), f'clips-{key}')
    if os.path.isdir(folder):
        return folder
    work = tempfile.mkdtemp(dir=library.cache_dir())
    os.chmod(work, 0o755)
    for codec, encoder in ENCODERS.items():
        os.mkdir(os.path.join(work, codec))
        encode = ['ffmpeg', '-v', 'error', '-nostdin', *CLIP.split(), '-c:v', *encoder.split()]
        subprocess.run([*encode, os.path.join(work, codec, 'clip.mkv')], check=True, stderr=subprocess.DEVNULL)
    for codec, names in JOINED.items():
        with open(os.path.join(work, codec, 'joined.ivf'), 'wb') as file:
            file.write(join([read(os.path.join(fixtures, codec, name)) for name in names]))
    with open(os.path.join(work, 'fixtures.tsv'), 'w', encoding='utf-8') as table:
        print('codec\tfile\twxh', *[f'{codec}\tclip.mkv\t320x240' for codec in ENCODERS],
              *[f'{codec}\tjoined.ivf\t' for codec in JOINED], sep='\n', file=table)
    try:
        os.rename(work, folder)
    except OSError:  # another run was faster
        shutil.rmtree(work)
    return folder
