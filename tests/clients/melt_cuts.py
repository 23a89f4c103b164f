# SPDX-License-Identifier: MIT
"""Cuts of one clip, one after the other, as an editor has them: melt, in hardware and in software.

melt_cuts.py PATH: says whether all pictures are equal."""

import os
import subprocess
import sys

CUTS = ((0, 14), (30, 44), (10, 19), (45, 54), (3, 12), (50, 59), (20, 29))
HARDWARE = {'MLT_AVFORMAT_HWACCEL': 'vaapi', 'MLT_AVFORMAT_HWACCEL_DEVICE': '/dev/dri/renderD128'}
OUTPUT = ('avformat:/dev/stdout', 'f=framemd5', 'vcodec=rawvideo', 'pix_fmt=yuv420p', 'an=1', 'real_time=-1')


def play(path, environment):
    cuts = [word for begin, end in CUTS for word in ('avformat:' + path, f'in={begin}', f'out={end}')]
    done = subprocess.run(['melt', '-silent', *cuts, '-consumer', *OUTPUT], env={**os.environ, **environment}, check=True,
                          stdout=subprocess.PIPE, text=True)
    return [line for line in done.stdout.splitlines() if line[:1].isdigit()]


def main():
    hard, soft = (play(sys.argv[1], environment) for environment in (HARDWARE, {}))
    print(f'{len(hard)} pictures,', 'equal' if hard == soft else f'not equal: software has {len(soft)}')


if __name__ == '__main__':
    main()
