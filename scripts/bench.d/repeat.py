# SPDX-License-Identifier: MIT
"""Streams that play several times over."""

import os
import struct
import subprocess


def frames_of(path):
    done = subprocess.run(['ffprobe', '-v', 'error', '-count_frames', '-select_streams', 'v', '-show_entries',
                           'stream=nb_read_frames', '-of', 'csv=p=0', path], capture_output=True, text=True, check=True)
    return int(done.stdout.strip().rstrip(','))


def stream(source, target, times):
    """Writes the stream so many times behind itself; how many pictures that makes."""
    with open(source, 'rb') as file:
        data = file.read()
    with open(target, 'wb') as file:
        if os.path.splitext(source)[1] != '.ivf':
            file.write(data * times)
        else:  # 12 bytes before each frame: its size, and its time
            file.write(data[:32])
            time = 0
            for _ in range(times):
                at = 32
                while at < len(data):
                    (size,) = struct.unpack_from('<I', data, at)
                    file.write(struct.pack('<IQ', size, time) + data[at + 12:at + 12 + size])
                    at, time = at + 12 + size, time + 1
    return frames_of(source) * times
