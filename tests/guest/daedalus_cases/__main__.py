# SPDX-License-Identifier: MIT
"""The kernel's half of daedalus, from both ends: run in the guest by daedalus_kernel_test.py, on the module as loaded.

    daedalus_cases [FILE]...    formats, jobs, ...; without any, all of them
"""
import sys
import unittest

# The last one takes the module away.
FILES = ('formats', 'jobs', 'memory', 'slices', 'link', 'faults', 'stress')


def load_tests(loader, *_):
    return loader.loadTestsFromNames([name for name in FILES if name in (sys.argv[1:] or FILES)])


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
