# SPDX-License-Identifier: MIT
"""The part of board_test.py that runs in the guest: decodes streams with GStreamer, prints what the board made of them.

board_streams.py RUNS CODEC/FILE...: one line of JSON for each stream and run: {"stream", "status", "jobs": {ENGINE: N},
"outcomes": {OUTCOME: N}, "stamps": [[job, bytes, crc]...], "log", "patterned"}."""

import collections
import hashlib
import json
import os
import struct
import subprocess
import sys

FAKEBOARD = '/sys/kernel/debug/fakeboard/'
ELEMENTS = {'mpeg2': 'mpegvideoparse ! v4l2slmpeg2dec', 'h264': 'h264parse ! v4l2slh264dec',
            'hevc': 'h265parse ! v4l2slh265dec', 'vp8': 'ivfparse ! v4l2slvp8dec',
            'vp9': 'ivfparse ! vp9parse ! v4l2slvp9dec'}
OUT = '/tmp/pictures'


def pattern(job, count):
    """The first words of a picture, by the formula in docs/fakeboard.md."""
    for i in range(count):
        word = (i + job * 0x01000193) * 0x9E3779B1 & 0xFFFFFFFF
        yield word ^ word >> 15


def read(name):
    with open(FAKEBOARD + name, encoding='ascii') as file:
        return file.read()


def decode(stream):
    with open(FAKEBOARD + 'log', 'w', encoding='ascii') as file:
        file.write('anew')
    command = ['gst-launch-1.0', '--no-fault', '-q', 'filesrc', 'location=' + os.path.join('fixtures', stream), '!',
               *ELEMENTS[stream.split('/')[0]].split(), '!', 'multifilesink', f'location={OUT}/%05d']
    subprocess.run(['sh', '-c', f'rm -rf {OUT}; mkdir {OUT}'], check=True)
    try:
        status = subprocess.run(command, check=False, timeout=60, stdout=2).returncode
    except subprocess.TimeoutExpired:
        status = 'timeout'
    log = read('log')
    outcomes = collections.Counter(line.split()[3] for line in log.splitlines() if line.split()[2] == 'job')
    stamps, patterned = [], 0
    for name in sorted(os.listdir(OUT)):
        with open(os.path.join(OUT, name), 'rb') as file:
            picture = file.read()
        magic, job, size, crc = struct.unpack('<4sIII', picture[:16])
        if magic == b'FBRD':
            stamps.append([job, size, crc])
        words = struct.unpack(f'<{len(picture) // 4}I', picture[:len(picture) // 4 * 4])
        patterned += all(has == wants for has, wants in list(zip(words, pattern(job, len(words))))[4:])
    jobs = dict(line.split('@')[0:1] + [int(line.split()[1])] for line in read('jobs').splitlines()
                if not line.endswith(' 0'))
    print(json.dumps({'stream': stream, 'status': status, 'jobs': jobs, 'outcomes': outcomes, 'stamps': stamps,
                      'pictures': len(os.listdir(OUT)), 'log': hashlib.md5(log.encode()).hexdigest(),
                      'patterned': patterned}), flush=True)


def main():
    for stream in sys.argv[2:]:
        for _ in range(int(sys.argv[1])):
            decode(stream)


if __name__ == '__main__':
    main()
