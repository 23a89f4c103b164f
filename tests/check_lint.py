#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs clang-tidy over the driver and the daemon with the checks of .clang-tidy.

    check_lint.py BUILD

A file that was found clean is not looked at again until it, a header of it, the checks or clang-tidy change: the cache
($V4L2_REQUEST_CACHE, else ~/.cache/v4l2-request) has a mark for each such state, whatever the checkout. tests/lint/faults.cpp makes sure that faults are seen at all.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SKIPPED = 77
LINTED = ('src/**/*.cpp', 'daedalus/daemon/**/*.cpp')
FAULTS = ROOT / 'tests/lint/faults.cpp'
# Paths through a function are followed less far than by default (75,000 states, small functions inlined). That takes half
# the time and sees the same: what needs more states than that, a reader does not follow either.
TIDY = ['clang-tidy', '--quiet', *(f'--extra-arg={word}' for word in '-Xclang -analyzer-config -Xclang mode=shallow'.split())]


def preprocessed(entry):
    """What the compiler makes of the file's includes, comments kept, since NOLINT is one."""
    words = iter(shlex.split(entry['command']))
    command = []
    for word in words:
        if word in ('-o', '-MF', '-MQ'):
            next(words)
        elif word not in ('ccache', '-c', '-MD'):
            command.append(word)
    return subprocess.run([*command, '-E', '-C'], cwd=entry['directory'], check=True, capture_output=True).stdout


def cache():
    base = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
    return pathlib.Path(os.environ.get('V4L2_REQUEST_CACHE') or pathlib.Path(base) / 'v4l2-request')


class Linter:
    def __init__(self, build):
        self.marks = cache() / 'lint'
        self.marks.mkdir(parents=True, exist_ok=True)
        self.build = build
        entries = json.loads((build / 'compile_commands.json').read_text())
        self.entries = {(pathlib.Path(e['directory']) / e['file']).resolve(): e for e in entries}
        version = subprocess.run(['clang-tidy', '--version'], check=True, capture_output=True).stdout
        self.checks = version + (ROOT / '.clang-tidy').read_bytes() + ' '.join(TIDY).encode()

    def lint(self, path):
        """What is wrong with the file, and whether that was known before."""
        mark = self.marks / hashlib.sha256(self.checks + preprocessed(self.entries[path])).hexdigest()
        if mark.exists():
            return '', True
        done = subprocess.run([*TIDY, '-p', str(self.build), str(path)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            mark.touch()
        return (done.stdout or done.stderr) if done.returncode else '', False


def unseen_faults():
    """Every fault of FAULTS is named at its line."""
    done = subprocess.run([*TIDY, str(FAULTS), '--', '-std=c++20'], capture_output=True, text=True, check=False)
    found = {(int(line), check) for line, check in re.findall(r'faults\.cpp:(\d+):\d+: error: .*\[([^,\]]*)', done.stdout)}
    for number, line in enumerate(FAULTS.read_text().splitlines(), 1):
        expected = re.search(r'; // ([\w.-]+)$', line)
        if expected and not any(at == number and check.endswith(expected[1]) for at, check in found):
            yield f'{FAULTS.name}:{number}: {expected[1]} was not seen'


def main():
    if not shutil.which('clang-tidy'):
        print('skipped: clang-tidy is not installed')
        sys.exit(SKIPPED)
    linter = Linter(pathlib.Path(sys.argv[1]).resolve())
    # The longest first, so that no processor waits for another at the end.
    files = sorted((path for pattern in LINTED for path in ROOT.glob(pattern)), key=lambda path: -path.stat().st_size)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        unseen = pool.submit(lambda: list(unseen_faults()))
        results = list(pool.map(linter.lint, files))
    found = [text for text, _ in results if text] + unseen.result()
    known = sum(was_known for _, was_known in results)
    print('\n'.join(found) or f'{len(files)} files without a finding, {known} of them as before')
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
