#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sweeps real streams: the folder that V4L2_REQUEST_VECTORS names, or ../shared/vectors beside the checkout.

They are other people's and not part of this repository; where they are absent the test is skipped, which meson counts.
"""
import os
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '..', '..'))
FOLDER = os.environ.get('V4L2_REQUEST_VECTORS', os.path.join(ROOT, '..', 'shared', 'vectors'))
SKIPPED = 77  # what meson takes for a skip


def main():
    if not os.path.isdir(FOLDER):
        print(f'skipped: there are no streams in {FOLDER}; V4L2_REQUEST_VECTORS names another folder')
        sys.exit(SKIPPED)
    sweep = os.path.join(ROOT, 'scripts/hash-sweep')
    os.execv(sweep, [sweep, '--device', 'daedalus', '--vectors', os.path.realpath(FOLDER), *sys.argv[1:]])


if __name__ == '__main__':
    main()
