#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sweeps real streams: the folder that V4L2_REQUEST_VECTORS names, or ../shared/vectors beside the checkout.

They are other people's and not part of this repository; where they are absent the test is skipped, which meson counts.
--sample takes those in which clients are known to differ and one of each kind; other options are those of hash-sweep.
"""
import os
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '..', '..'))
FOLDER = os.environ.get('V4L2_REQUEST_VECTORS', os.path.join(ROOT, '..', 'shared', 'vectors'))
SAMPLE = (
    'fate_*', 'sony-ct3*', 'BASQP1*', 'BA_MW_D_P_LOST*', 'CVPCMNL1*', 'Error*', 'FRExt[24]*', 'HCA[FM]*', 'MR1_MW*', 'SarVui*',
    'cars*', 'g2b_tu*', 'vp80-00-comprehensive-00[1-4]*', '*1425*', '*intra-only*', '*lf_deltas*', '*quantizer-0*',
)  # fmt: skip
SKIPPED = 77  # what meson takes for a skip


def main():
    if not os.path.isdir(FOLDER):
        print(f'skipped: there are no streams in {FOLDER}; V4L2_REQUEST_VECTORS names another folder')
        sys.exit(SKIPPED)
    sweep = os.path.join(ROOT, 'scripts/hash-sweep')
    options = [option for option in sys.argv[1:] if option != '--sample']
    if '--sample' in sys.argv:
        options += [word for pattern in SAMPLE for word in ('--filter', pattern)]
    os.execv(sweep, [sweep, '--device', 'daedalus', '--vectors', os.path.realpath(FOLDER), *options])


if __name__ == '__main__':
    main()
