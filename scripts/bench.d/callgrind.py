# SPDX-License-Identifier: MIT
"""Reads what callgrind has counted (valgrind's manual, "Callgrind Format Specification")."""

import re

NAME = re.compile(r'(c?(?:ob|fn|fl|fi|fe))=\((\d+)\)(?: (.*))?')
ALLOCATORS = re.compile(r"(malloc|calloc|realloc|posix_memalign|aligned_alloc|operator new.*|_Znwm.*|_Znam.*)('\d+)?$")


def read(path, name):
    """Of the shared object that has `name` in its path: instructions of its own, instructions of what it calls in the
    C and C++ libraries ("below"), and how often it allocates memory and asks the kernel."""
    names = {'ob': {}, 'fn': {}, 'fl': {}}
    here = there = callee = ''
    result = {'instructions': 0, 'below': 0, 'allocations': 0, 'ioctls': 0}
    calls = None
    with open(path, encoding='utf-8', errors='replace') as file:
        for line in file:
            line = line.rstrip('\n')
            if match := NAME.match(line):
                kind, number, text = match.groups()
                table = names['ob' if kind.endswith('ob') else 'fn' if kind.endswith('fn') else 'fl']
                if text is not None:
                    table[number] = text
                value = table.get(number, '')
                if kind == 'ob':
                    here = value
                elif kind == 'cob':
                    there = value
                elif kind == 'fn':
                    there = here
                elif kind == 'cfn':
                    callee = value
            elif line.startswith('calls='):
                calls = int(line[6:].split()[0])
            elif line and (line[0].isdigit() or line[0] in '+-*'):
                cost = int(line.split()[1])
                if name in here:
                    if calls is None:
                        result['instructions'] += cost
                    else:
                        count(result, there or here, callee, calls, cost)
                if calls is not None:
                    calls, there = None, here
    return result


def count(result, library, callee, calls, cost):
    if not re.search(r'/(libc|libm|libstdc\+\+|ld-linux|libgcc_s)[.-]|valgrind', library):
        return
    result['below'] += cost
    if ALLOCATORS.match(callee):
        result['allocations'] += calls
    if re.match(r'ioctl\b', callee):
        result['ioctls'] += calls
