# SPDX-License-Identifier: MIT
"""The part of board_test.py that runs in the guest: decodes streams and prints what the board made of them.

board_streams.py CASES.json: {"driver": DIR, "cases": [{"client", "codec", "stream", "knobs": {PARAMETER: VALUE}}]}. A client is "kernel"
(GStreamer, straight on the kernel) or "libva" (FFmpeg). One line of JSON for each case: {"status", "jobs": {ENGINE: N},
"outcomes": {OUTCOME: N}, "stamps": [[job, bytes, crc]...], "pictures", "patterned", "log", "errors", "kernel",
"seconds"}."""

import collections
import hashlib
import itertools
import json
import os
import re
import struct
import subprocess
import sys
import time

FAKEBOARD = '/sys/kernel/debug/fakeboard/'
PARAMETERS = '/sys/module/fakeboard/parameters/'
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


def write(path, text):
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)


def kernel_command(codec, path):
    return ['gst-launch-1.0', '--no-fault', '-q', 'filesrc', 'location=' + path, '!', *ELEMENTS[codec].split(), '!',
            'multifilesink', f'location={OUT}/%05d']


def libva_command(_, path):
    return ['ffmpeg', '-nostdin', '-v', 'error', '-hwaccel', 'vaapi', '-hwaccel_output_format', 'vaapi',
            '-vaapi_device', '/dev/dri/renderD128', '-i', path, '-fps_mode', 'passthrough', '-vf',
            'hwdownload,format=nv12', '-c:v', 'rawvideo', '-f', 'image2', f'{OUT}/%05d']


CLIENTS = {'kernel': kernel_command, 'libva': libva_command}


def decode(case, driver):
    write(FAKEBOARD + 'log', 'anew')
    environment = dict(os.environ, LIBVA_DRIVERS_PATH=driver, LIBVA_DRIVER_NAME='v4l2_request')
    command = CLIENTS[case['client']](case['codec'], case['stream'])
    subprocess.run(['sh', '-c', f'rm -rf {OUT}; mkdir {OUT}; dmesg --clear'], check=True)
    start = time.monotonic()
    try:
        done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True, errors='replace',
                              env=environment)
        status, errors = done.returncode, done.stderr
    except subprocess.TimeoutExpired:
        status, errors = 'timeout', ''
    seconds = time.monotonic() - start
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
        beyond_stamp = itertools.islice(zip(words, pattern(job, len(words))), 4, None)
        patterned += all(has == wants for has, wants in beyond_stamp)
    jobs = {line.split('@')[0]: int(line.split()[1]) for line in read('jobs').splitlines() if not line.endswith(' 0')}
    told = subprocess.run(['dmesg'], check=True, capture_output=True, text=True, errors='replace').stdout
    return {'status': status, 'jobs': jobs, 'outcomes': outcomes, 'stamps': stamps, 'pictures': len(os.listdir(OUT)),
            'log': hashlib.md5(log.encode()).hexdigest(), 'patterned': patterned, 'errors': errors[-2000:],
            'seconds': seconds, 'kernel': re.sub(r'(?m)^\[.*?\] ', '', told)}


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        settings = json.load(file)
    for case in settings['cases']:
        for knob, value in case['knobs'].items():
            write(PARAMETERS + knob, str(value))
        result = decode(case, settings['driver'])
        for knob in case['knobs']:
            write(PARAMETERS + knob, '0')
        print(json.dumps(result), flush=True)


if __name__ == '__main__':
    main()
