#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tells LAVA what board-sweep has found, a test case for each stream. usage: report.py RESULT.json"""
import json
import subprocess
import sys

GOOD = ('match', 'known (stream_exceptions.tsv)')


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        result = json.load(file)
    for row in result['streams']:
        passed = 'pass' if row['verdict'] in GOOD else 'fail'
        subprocess.run(['lava-test-case', f'{row["codec"]}-{row["file"]}', '--result', passed, '--measurement',
                        str(row['frames']), '--units', 'frames'], check=True)


if __name__ == '__main__':
    main()
