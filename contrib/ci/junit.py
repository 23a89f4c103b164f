#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What board-sweep found as JUnit, against a baseline: a stream that was as it should be must stay so.

Exit status: 0 if nothing got worse, 1 if something did. --accept writes the baseline instead."""

import argparse
import json
import os
import sys
import xml.etree.ElementTree as xml

GOOD = ('match', 'known (stream_exceptions.tsv)', 'explained (board_exceptions.tsv)')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('result', help='of board-sweep --json')
    parser.add_argument('--baseline', metavar='FILE', help='verdicts that were accepted; none if it is not there')
    parser.add_argument('--junit', metavar='FILE')
    parser.add_argument('--accept', action='store_true')
    options = parser.parse_args()
    with open(options.result, encoding='utf-8') as file:
        result = json.load(file)
    verdicts = {f"{row['codec']}/{row['file']}": row['verdict'] for row in result['streams']}
    if options.accept:
        os.makedirs(os.path.dirname(os.path.abspath(options.baseline)), exist_ok=True)
        with open(options.baseline, 'w', encoding='utf-8') as file:
            json.dump(verdicts, file, indent=1, sort_keys=True)
            file.write('\n')
        return 0
    accepted = {}
    if options.baseline and os.path.exists(options.baseline):
        with open(options.baseline, encoding='utf-8') as file:
            accepted = json.load(file)
    worse = []
    suite = xml.Element('testsuite', name='board-sweep')
    for row in result['streams']:
        name, verdict = f"{row['codec']}/{row['file']}", row['verdict']
        case = xml.SubElement(suite, 'testcase', classname=row['codec'], name=row['file'], time=str(row['seconds'].get('libva', 0)))
        if verdict in GOOD:
            continue
        known = name in accepted and accepted[name] not in GOOD
        xml.SubElement(case, 'skipped' if known else 'failure', message=verdict).text = '\n'.join(row['notes'])
        if not known:
            worse.append(f'{name}: {verdict}')
    missing = sorted(name for name, verdict in accepted.items() if verdict in GOOD and name not in verdicts)
    for name in missing:
        codec, file_name = name.split('/', 1)
        case = xml.SubElement(suite, 'testcase', classname=codec, name=file_name)
        xml.SubElement(case, 'failure', message='was not decoded this time')
        worse.append(f'{name}: was not decoded this time')
    suite.set('tests', str(len(suite)))
    suite.set('failures', str(len(worse)))
    if options.junit:
        xml.ElementTree(suite).write(options.junit, encoding='utf-8', xml_declaration=True)
    print('\n'.join(worse) or f'{len(verdicts)} streams, nothing is worse')
    return 1 if worse else 0


if __name__ == '__main__':
    sys.exit(main())
