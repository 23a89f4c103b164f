#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Unmodified clients of several generations on daedalus, each frame compared with software; prints a table of them.

    tests/clients/clients_test.py                       a few streams of each codec
    tests/clients/clients_test.py --whole               all of fixtures/
    tests/clients/clients_test.py --userland bookworm --client mpv --filter 'odd*'

Ends with status 0 if every row is as it should be. See docs/testing.md and docs/clients.md."""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import recipes

sys.dont_write_bytecode = True
import clips  # pylint: disable=wrong-import-position
import streams as library  # pylint: disable=wrong-import-position,wrong-import-order

ROOT, HERE = recipes.ROOT, recipes.HERE
DRIVER = 'src/v4l2_request_drv_video.so'
USERLANDS = ('bookworm', 'trixie', 'forky')
PLAYERS = ('trixie-players', 'forky-players')  # large, and so by name or with --whole
SOFTWARE = ' in software'
LEAST_WINDOW = 90  # pixels; smaller ones are stretched
NEAR = 4  # levels of 255 on average: one picture of a moving scene is farther from the next
LOST = {'frames': [], 'output': '', 'status': None, 'error': 'the guest died', 'calls': {}, 'failed': {}}
GUESTS_AT_A_TIME = 2
PARTS = 2  # guests for the tasks of one userland
EXCEPTIONS = library.read_table(os.path.join(HERE, 'exceptions.tsv'))


# ---- What came out, and whether it is right.

def judge(recipe, stream, result, expected, pictures):
    """What is wrong with a client's pictures or the way that they took; None if nothing is."""
    frames = result['frames']
    if result['error']:
        return result['error']
    if len(frames) != len(expected):
        return f'{len(frames)} frames, not {len(expected)}'
    wrong = [at for at, pair in enumerate(zip(frames, expected)) if pair[0] != pair[1]]
    if wrong:
        return f'{len(wrong)} of {len(frames)} frames differ, first {wrong[0]}'
    if result['status'] != 0 or not frames:
        return f'exit status {result["status"]}, {len(frames)} frames'
    shown_again = 'show_existing_frame' in stream.features
    least = {'vaEndPicture': 1 if shown_again else pictures, recipe.call: pictures if recipe.each else 1}
    for call, times in least.items():
        if result['calls'].get(call, 0) < times:
            return f'{call} {result["calls"].get(call, 0)} times for {pictures} pictures: another path'
    return None


def pixels(path, *filters):
    """A picture of a file as RGB."""
    command = ['ffmpeg', '-v', 'error', '-nostdin', '-i', path, *filters, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-']
    return subprocess.run(command, check=True, capture_output=True).stdout


def looks_different(screenshot, other):
    """How two screenshots differ by more than a shader's rounding: by one level, in one of a thousand samples."""
    difference = [abs(one - two) for one, two in zip(pixels(screenshot), pixels(other), strict=True)]
    far, count = max(difference), sum(map(bool, difference))
    if far > 1 or count * 1000 > len(difference):
        return f'{count} samples of {len(difference)} differ from software, by up to {far}'
    return None


def looks_wrong(screenshot, stream, count):
    """How a screenshot is not the last picture of the stream: players convert colours in ways of their own, but they stay
    near."""
    matrix = 'bt709' if stream.size[0] >= 1280 else 'bt601'
    right = pixels(stream.path, '-vf', f'select=eq(n\\,{count - 1}),scale=in_color_matrix={matrix}', '-frames:v', '1')
    seen = pixels(screenshot)
    if len(seen) != len(right):
        return 'the screenshot has another size'
    far = sum(map(abs, map(int.__sub__, seen, right))) / len(seen)
    return f'the screenshot is {far:.1f} levels away from the last picture' if far > NEAR else None


def known(recipe, version, stream):
    """Why a client is known to go wrong by itself with a stream; None if it is not."""
    texts = {'client': recipe.client, 'version': version, 'how': recipe.how, 'stream': stream.key()}
    return next((row['why'] for row in EXCEPTIONS
                 if all(fnmatch.fnmatchcase(text, row[name]) for name, text in texts.items())), None)


# ---- The table.

class Row:
    """A line of the table: a client on one path, with the streams of one codec."""

    def __init__(self, recipe, codec, version):
        self.recipe, self.codec, self.version = recipe, codec, version
        self.frames, self.streams, self.wrong, self.known = 0, 0, [], []

    def add(self, name, result, problem, reason=None):
        self.streams += 1
        self.frames += len(result['frames'])
        if problem and reason:
            self.known.append(f'{name}: {reason}')
        elif problem or reason:
            self.wrong.append((name, problem or 'matches: take it out of exceptions.tsv', result))

    def verdict(self):
        if self.wrong:
            return f'{self.wrong[0][0]}: {self.wrong[0][1]}'
        return f'match, but {len(self.known)} known: {self.known[0]}' if self.known else 'match'

    def cells(self):
        """The version is that of the program, without what Debian adds."""
        version = re.split(r'[-+]', self.version.split(':')[-1])[0]
        path = getattr(self.recipe, 'path', 'none')
        return [self.recipe.client, version, path, self.recipe.how, self.codec, self.streams, self.frames, self.verdict()]


HEAD = ['client', 'version', 'path', 'how', 'codec', 'streams', 'frames', 'verdict']


def show(rows, lines_of_log):
    """The table, after all that is wrong in it."""
    for row in rows:
        for name, problem, result in row.wrong:
            print(f'\n{row.recipe.client} {row.version}, {row.recipe.how}, {row.codec}/{name}: {problem}\n'
                  f'    {result["calls"]} {result["failed"]}')
            print('\n'.join('    ' + line for line in result['log'].splitlines()[-lines_of_log:]))
    lines = [HEAD] + [[str(cell) for cell in row.cells()] for row in rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEAD))]
    for line in lines:
        print('  '.join(cell.rjust(width) if cell.isdigit() else cell.ljust(width)
                        for cell, width in zip(line, widths)).rstrip())


# ---- Running.

def run_guest(name, userland, options, folder, tasks):
    """What each client did; those whose guest died come last, with what the guest said in the end."""
    path = os.path.join(folder, f'{name}.json')
    packages = sorted({each.package for each in recipes.RECIPES + recipes.PROBES})
    with open(path, 'w', encoding='utf-8') as file:
        json.dump({'driver': folder, 'sweep': os.path.join(ROOT, 'scripts/lib'), 'jobs': 2, 'packages': packages,
                   'tasks': tasks}, file)
    shares = {folder, library.cache_dir(), options.build, options.vectors, options.pictures}
    command = [os.path.join(ROOT, 'scripts/guest'), 'run', '--device', 'daedalus', '--rootfs', userland, '--mem', '4G',
               '--daedalus', os.path.join(options.build, 'daedalus'), '--timeout',
               str(120 + sum(task['timeout'] for task in tasks) // 4),
               *[word for share in sorted(shares) for word in ('--share', share)],
               '--module-arg', 'timeout_ms=0', '--env', 'V4L2_REQUEST_TIMEOUT=3600',  # the limits are those of the clients
               '--env', 'PYTHONDONTWRITEBYTECODE=1', '--', 'python3', os.path.join(HERE, 'in_guest.py'), path]
    done = subprocess.run(command, capture_output=True, text=True, errors='replace', check=False)
    events = list(map(json.loads, done.stdout.splitlines()))
    if done.returncode:
        print(f'{name}: {done.stderr}', file=sys.stderr, flush=True)
    lost = {task['id'] for task in tasks} - {event.get('id') for event in events}
    return events + [{'id': each, **LOST, 'log': done.stderr} for each in sorted(lost)]


class Plan:
    """What one userland is to run: tasks for the guest, and by their names what they are for."""

    def __init__(self, userland, options):
        self.userland, self.options = userland, options
        self.tasks, self.decoding, self.probing = [], {}, {}

    def task(self, name, command, times=1):
        self.tasks.append({'id': name, 'command': list(command), 'timeout': 240 + 10 * times})

    def takes(self, recipe, stream):
        """Whether a stream is one for the recipe."""
        options, name = self.options, stream.name
        if recipe.only and not any(fnmatch.fnmatch(name, pattern) for pattern in recipe.only.get(stream.codec, ())):
            return False
        if recipe.shown and (not stream.size or min(stream.size) < LEAST_WINDOW):
            return False
        return bool(options.whole or options.filter or recipe.only or any(
            fnmatch.fnmatch(name, pattern) for pattern in recipe.sample.get(stream.codec, ())))

    def add(self, recipe, stream):
        """Clients that put out what is their own run without the driver, too."""
        name = f'{recipe.client} {self.userland}, {recipe.how}, {stream.key()}'
        picture = os.path.join(self.options.pictures, re.sub(r'[^\w.]+', '-', name))
        times = recipe.times[self.options.whole]
        for suffix, command in (('', recipe.command), (SOFTWARE, recipe.software)):
            if command:
                job = recipes.Job(stream, library.elementary(stream), picture + suffix.replace(' ', '-') + '.png', times)
                self.task(name + suffix, command(job), times)
        self.decoding[name] = (recipe, stream, picture + '.png', times)

    def rows(self, results, versions, expected):
        rows = {}
        for name, (recipe, stream, picture, times) in self.decoding.items():
            version = versions.get(recipe.package, 'absent')
            row = rows.setdefault((recipe.client, recipe.how, stream.codec), Row(recipe, stream.codec, version))
            right = results[name + SOFTWARE]['frames'] if recipe.software else expected[stream.key()] * times
            count, problem = len(expected[stream.key()]) if recipe.shown else len(right), None
            if recipe.shown and right and results[name]['frames']:  # what is left to judge is the path
                problem = looks_different(picture, picture.removesuffix('.png') + SOFTWARE.replace(' ', '-') + '.png')
                right = results[name]['frames']
            problem = problem or judge(recipe, stream, results[name], right, count)
            if recipe.shown and not problem:
                problem = looks_wrong(picture, stream, count)
            row.add(stream.name, results[name], problem, known(recipe, version, stream))
        for name, probe in self.probing.items():
            row = rows[name] = Row(probe, 'all', versions.get(probe.package, 'absent'))
            missing = [text for text in probe.expected if not re.search(text, results[name]['output'])]
            if results[name]['calls'].get('vaEndPicture', 0) < probe.pictures:
                missing.append(f'{probe.pictures} pictures by the driver')
            bad = results[name]['error'] or results[name]['status'] and f'exit status {results[name]["status"]}'
            row.add(probe.how, results[name], bad or (f'no {missing[0]}' if missing else None))
        return list(rows.values())


def plan_userland(userland, options, streams):
    """What to run in one userland."""
    plan = Plan(userland, options)
    wanted = [each for each in recipes.RECIPES + recipes.PROBES
              if userland in each.userlands and (not options.client or each.client in options.client)
              and (not options.how or each.how in options.how)]
    for each in wanted:
        if isinstance(each, recipes.Probe):
            name = f'{each.client}, {each.how}'
            plan.task(name, [word.format(clips=options.clips) for word in each.command])
            plan.probing[name] = each
        else:
            for stream in streams:
                if plan.takes(each, stream):
                    plan.add(each, stream)
    return plan


def run_plans(plans, options, folder):
    """What each plan's clients did, by the name of the task, and their versions. A client keeps one processor busy at
    most, and a guest's own work another: several guests at a time, each with a share of a userland's tasks."""
    shares = [(plan.userland, part, plan.tasks[part::PARTS]) for plan in plans for part in range(PARTS)]
    shares = [share for share in shares if share[2]]

    def run(share):
        userland, part, tasks = share
        start = time.monotonic()
        events = run_guest(f'{userland}-{part}', userland, options, folder, tasks)
        print(f'{userland}: {len(tasks)} runs in {time.monotonic() - start:.0f} s', flush=True)
        return events

    results, versions = {plan.userland: {} for plan in plans}, {plan.userland: {} for plan in plans}
    with concurrent.futures.ThreadPoolExecutor(GUESTS_AT_A_TIME) as pool:
        for (userland, _, _), events in zip(shares, pool.map(run, shares)):
            for event in events:
                versions[userland] = event.get('versions', versions[userland])
                results[userland][event.get('id')] = event
    slowest = sorted(((event['seconds'], name) for named in results.values() for name, event in named.items()
                      if 'seconds' in event), reverse=True)
    print('slowest: ' + '; '.join(f'{seconds:.0f} s {name}' for seconds, name in slowest[:5]), flush=True)
    return results, versions


def choose(options):
    """The streams that there are, with what software makes of them."""
    options.clips = clips.make(os.path.join(ROOT, 'fixtures'))
    folders = [options.vectors, options.clips]
    streams = [stream for folder in folders for stream in library.find(folder, library.DEFAULT_CODECS, options.filter)
               if stream.expect == 'decode' and stream.format == 'nv12']
    plan = Plan(None, options)
    streams = [stream for stream in streams if any(plan.takes(recipe, stream) for recipe in recipes.RECIPES)]
    version = library.ffmpeg_version()
    return streams, {stream.key(): library.software(stream, version)['frames'] for stream in streams}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--whole', action='store_true', help='every stream, not a few of each codec')
    parser.add_argument('--userland', action='append', choices=USERLANDS + PLAYERS, help='may be repeated')
    parser.add_argument('--client', action='append', help='FFmpeg, GStreamer, mpv, ...; may be repeated')
    parser.add_argument('--how', action='append', help='as the table has it; may be repeated')
    parser.add_argument('--filter', action='append', default=[], metavar='PATTERN', help='names of streams')
    parser.add_argument('--vectors', default=os.path.join(ROOT, 'fixtures'), metavar='DIR', help='other streams')
    parser.add_argument('--build', default=os.environ.get('BUILD', os.path.join(ROOT, 'build')), metavar='DIR')
    parser.add_argument('--pictures', metavar='DIR', help='where screenshots go (default: BUILD/pictures)')
    parser.add_argument('--logs', type=int, default=15, metavar='LINES', help='of clients that failed')
    options = parser.parse_args()
    options.build, options.vectors = os.path.realpath(options.build), os.path.realpath(options.vectors)
    options.pictures = os.path.realpath(options.pictures or os.path.join(options.build, 'pictures'))
    os.makedirs(options.pictures, exist_ok=True)
    return options


def main():
    options = parse_arguments()
    streams, expected = choose(options)
    plans = [plan_userland(userland, options, streams) for userland in options.userland or USERLANDS + PLAYERS * options.whole]
    with tempfile.TemporaryDirectory(prefix='clients-', dir=library.cache_dir()) as folder:
        shutil.copy(os.path.join(options.build, DRIVER), folder)  # a build that goes on must not change it
        results, versions = run_plans(plans, options, folder)
    rows = [row for plan in plans for row in plan.rows(results[plan.userland], versions[plan.userland], expected)]
    show(rows, options.logs)
    bad = sum(bool(row.wrong) for row in rows)
    print(f'{len(rows) - bad} of {len(rows)} rows are as they should be, {sum(len(row.known) for row in rows)} runs in '
          'them known to go wrong by the client')
    return 1 if bad or not rows else 0


if __name__ == '__main__':
    sys.exit(main())
