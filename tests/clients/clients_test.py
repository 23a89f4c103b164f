#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Unmodified clients of several generations on daedalus, each frame compared with software; prints a table of them.

    tests/clients/clients_test.py                       a few streams of each codec
    tests/clients/clients_test.py --whole               all of fixtures/
    tests/clients/clients_test.py --userland bookworm --client mpv --filter 'odd*'

Ends with status 0 if every row is as it should be. See docs/testing.md and docs/clients.md."""

import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import recipes

sys.dont_write_bytecode = True
import streams as library  # pylint: disable=wrong-import-position,wrong-import-order

ROOT = recipes.ROOT
DRIVER = 'src/v4l2_request_drv_video.so'
USERLANDS = ('bookworm', 'desktop', 'forky')
SAMPLE = {'mpeg2': ('ipb.m2v', 'size-178x146.m2v'), 'h264': ('high-all.h264', 'crop-178x130.h264'),
          'hevc': ('pyramid-layers.h265', 'odd.h265'), 'vp8': ('altref.ivf', 'partitions.ivf'),
          'vp9': ('altref.ivf', 'odd.ivf')}
OUT_OF_GUEST = {'frames': [], 'status': None, 'error': 'the guest died', 'calls': {}, 'failed': {}, 'log': '',
                'seconds': 0}


def judge(recipe, stream, result, expected):
    """What is wrong with a client's pictures or the way that they took; None if nothing is."""
    frames = result['frames']
    if result['error']:
        return result['error']
    if len(frames) != len(expected):
        return f'{len(frames)} frames, not {len(expected)}'
    wrong = [at for at, pair in enumerate(zip(frames, expected)) if pair[0] != pair[1]]
    if wrong:
        return f'{len(wrong)} of {len(frames)} frames differ, first {wrong[0]}'
    if result['status'] != 0:
        return f'exit status {result["status"]}'
    shown_again = 'show_existing_frame' in stream.features
    least = {'vaEndPicture': 1 if shown_again else len(frames), recipe.call: len(frames) if recipe.each else 1}
    for call, times in least.items():
        if result['calls'].get(call, 0) < times:
            return f'{call} {result["calls"].get(call, 0)} times in {len(frames)} frames: another path'
    return None


EXCEPTIONS = library.read_table(os.path.join(os.path.dirname(os.path.realpath(__file__)), 'exceptions.tsv'))


def known(recipe, version, stream):
    """Why a client is known to go wrong by itself with a stream; None if it is not."""
    is_ = {'client': recipe.client, 'version': version, 'how': recipe.how, 'stream': stream.key()}
    return next((row['why'] for row in EXCEPTIONS
                 if all(fnmatch.fnmatchcase(text, row[name]) for name, text in is_.items())), None)


class Row:
    """A line of the table: a client on one path, with the streams of one codec."""

    def __init__(self, recipe, codec, version):
        self.recipe, self.codec, self.version = recipe, codec, version
        self.frames, self.streams, self.wrong, self.known = 0, 0, [], []

    def add(self, stream, result, expected):
        self.streams += 1
        self.frames += len(result['frames'])
        problem, reason = judge(self.recipe, stream, result, expected), known(self.recipe, self.version, stream)
        if problem and reason:
            self.known.append(f'{stream.name}: {reason}')
        elif problem or reason:
            self.wrong.append((stream.name, problem or 'matches: take it out of exceptions.tsv', result))

    def verdict(self):
        if self.wrong:
            return f'{self.wrong[0][0]}: {self.wrong[0][1]}'
        return f'match, but {len(self.known)} known: {self.known[0]}' if self.known else 'match'

    def cells(self):
        recipe = self.recipe
        version = self.version.split(':')[-1].split('-')[0].split('+')[0]
        return [recipe.client, version, recipe.path, recipe.how, self.codec, self.streams, self.frames, self.verdict()]


HEAD = ['client', 'version', 'path', 'how', 'codec', 'streams', 'frames', 'verdict']


def show(rows):
    lines = [HEAD] + [[str(cell) for cell in row.cells()] for row in rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEAD))]
    for line in lines:
        print('  '.join(cell.rjust(width) if cell.isdigit() else cell.ljust(width)
                        for cell, width in zip(line, widths)).rstrip())


def run_guest(userland, options, folder, tasks):
    """Yields what each client did; clients that took the guest with them come last."""
    path = os.path.join(folder, f'{userland}.json')
    with open(path, 'w', encoding='utf-8') as file:
        json.dump({'driver': folder, 'sweep': os.path.join(ROOT, 'scripts/sweep.d'), 'jobs': 2, 'timeout': 120,
                   'packages': sorted({recipe.package for recipe in recipes.RECIPES}), 'tasks': tasks}, file)
    shares = {folder, library.cache_dir(), options.build, options.vectors}
    command = [os.path.join(ROOT, 'scripts/guest'), 'run', '--device', 'daedalus', '--rootfs', userland, '--mem', '4G',
               '--daedalus', os.path.join(options.build, 'daedalus'), '--timeout', str(120 + 20 * len(tasks)),
               *[word for share in sorted(shares) for word in ('--share', share)],
               '--env', 'PYTHONDONTWRITEBYTECODE=1', '--', 'python3',
               os.path.join(ROOT, 'tests/clients/in_guest.py'), path]
    left = {task['id'] for task in tasks}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors='replace') as process:
        for line in process.stdout:
            event = json.loads(line)
            left.discard(event.get('id'))
            yield event
    for name in sorted(left):
        yield {'id': name, **OUT_OF_GUEST}


def run_userland(userland, options, folder, streams, expected):
    """The rows of one userland, each printed as soon as it is complete."""
    chosen = [recipe for recipe in recipes.RECIPES if not options.client or recipe.client in options.client]
    tasks, owners = [], {}
    for recipe in chosen:
        for stream in streams:
            name = f'{recipe.client} {recipe.how} {stream.key()}'
            tasks.append({'id': name, 'command': recipe.command(stream, library.elementary(stream))})
            owners[name] = (recipe, stream)
    start, versions, rows = time.monotonic(), {}, {}
    for event in run_guest(userland, options, folder, tasks):
        if 'versions' in event:
            versions = event['versions']
            continue
        recipe, stream = owners[event['id']]
        row = rows.setdefault((recipe, stream.codec), Row(recipe, stream.codec, versions.get(recipe.package, '?')))
        row.add(stream, event, expected[stream.key()])
    print(f'{userland}: {len(tasks)} runs in {time.monotonic() - start:.0f} s', flush=True)
    return [rows[recipe, codec] for recipe in chosen for codec in library.DEFAULT_CODECS if (recipe, codec) in rows]


def choose(options):
    """The streams to decode, with what software makes of them."""
    streams = [stream for stream in library.find(options.vectors, library.DEFAULT_CODECS, options.filter)
               if stream.expect == 'decode' and stream.format == 'nv12'
               and (options.whole or options.filter or stream.name in SAMPLE[stream.codec])]
    version = library.ffmpeg_version()
    return streams, {stream.key(): library.software(stream, version)['frames'] for stream in streams}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--whole', action='store_true', help='every stream, not a few of each codec')
    parser.add_argument('--userland', action='append', choices=('trixie', 'host', *USERLANDS), help='may be repeated')
    parser.add_argument('--client', action='append', help='FFmpeg, GStreamer, mpv; may be repeated')
    parser.add_argument('--filter', action='append', default=[], metavar='PATTERN', help='names of streams')
    parser.add_argument('--vectors', default=os.path.join(ROOT, 'fixtures'), metavar='DIR', help='other streams')
    parser.add_argument('--build', default=os.environ.get('BUILD', os.path.join(ROOT, 'build')), metavar='DIR')
    parser.add_argument('--logs', type=int, default=15, metavar='LINES', help='of clients that failed')
    options = parser.parse_args()
    options.build, options.vectors = os.path.realpath(options.build), os.path.realpath(options.vectors)
    return options


def main():
    options = parse_arguments()
    streams, expected = choose(options)
    rows = []
    with tempfile.TemporaryDirectory(prefix='clients-', dir=library.cache_dir()) as folder:
        shutil.copy(os.path.join(options.build, DRIVER), folder)  # a build that goes on must not change it
        for userland in options.userland or USERLANDS:
            rows += run_userland(userland, options, folder, streams, expected)
    for row in rows:
        for name, problem, result in row.wrong:
            print(f'\n{row.recipe.client} {row.version}, {row.recipe.how}, {row.codec}/{name}: {problem}; '
                  f'{result["calls"]}; {result["failed"]}')
            print('\n'.join('    ' + line for line in result['log'].splitlines()[-options.logs:]))
    show(rows)
    bad = sum(bool(row.wrong) for row in rows)
    print(f'{len(rows) - bad} of {len(rows)} rows are as they should be, {sum(map(len, (row.known for row in rows)))} '
          'runs in them known to go wrong by the client')
    return 1 if bad or not rows else 0


if __name__ == '__main__':
    sys.exit(main())
