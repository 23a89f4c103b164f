#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs clang-tidy over src/ with the checks of .clang-tidy, two files at a time. Usage: check_lint.py BUILD"""
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SKIPPED = 77


def lint(path):
    done = subprocess.run(['clang-tidy', '-p', sys.argv[1], '--quiet', str(path)], capture_output=True, text=True,
                          check=False)
    return done.stdout if done.returncode else ''


def main():
    if not shutil.which('clang-tidy'):
        print('skipped: clang-tidy is not installed')
        sys.exit(SKIPPED)
    files = sorted(ROOT.glob('src/*/*.cpp'))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = [text for text in pool.map(lint, files) if text]
    print('\n'.join(found) or f'{len(files)} files without a finding')
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
