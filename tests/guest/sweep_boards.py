#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the decoders of each board are told, by scripts/hash-sweep --board: a sample of the fixtures, or all of them.

sweep_boards.py [--whole] [--board NAME]... [ARGUMENT OF hash-sweep]..."""

import argparse
import concurrent.futures
import os
import subprocess
import sys

sys.dont_write_bytecode = True
SCRIPTS = os.path.realpath(os.path.join(os.path.dirname(__file__), '../../scripts'))
sys.path.insert(0, os.path.join(SCRIPTS, 'lib'))
from sweep import board as boards  # pylint: disable=wrong-import-position

# Streams that need the most of a decoder's registers and tables: references of all kinds, weights, lists, probabilities.
SAMPLE = ('matrices.m2v', 'weighted-all.h264', 'long-term-b.h264', 'long-term.h265',
          'short-term-sets.h265', 'altref.ivf')
AT_A_TIME = 2

# Decoders without an IOMMU, which take no scattered memory: one has its own buffers only, the other a heap for them.
MEMORY = {'h3': ('iommu=0',), 'imx8mq': ('iommu=0', 'heap=linux,cma')}


def sweep(name, arguments):
    memory = [word for argument in MEMORY.get(name, ()) for word in ('--module-arg', argument)]
    command = [os.path.join(SCRIPTS, 'hash-sweep'), '--board', name, *memory, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0], allow_abbrev=False)
    parser.add_argument('--whole', action='store_true', help='all fixtures, in some 20 minutes')
    parser.add_argument('--board', action='append', choices=sorted(boards.BOARDS), help='this board; may be repeated')
    options, arguments = parser.parse_known_args()
    if not options.whole:
        arguments += [word for name in SAMPLE for word in ('--filter', name)]
    names = options.board or list(boards.BOARDS)
    figures, bad = [], []
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for name, done in zip(names, pool.map(lambda name: sweep(name, arguments), names)):
            print(f'==== {name}\n{done.stdout}', flush=True)
            figures += [line for line in done.stdout.splitlines() if line.startswith(f'{name} all: ')]
            if done.returncode:
                bad.append(name)
    print('\n'.join(figures))
    if bad or len(figures) != len(names):
        sys.exit(f'not as it should be: {" ".join(bad)}')


if __name__ == '__main__':
    main()
