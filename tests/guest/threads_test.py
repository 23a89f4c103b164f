#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The driver and the suite's thread tests under ThreadSanitizer, in a guest with the host's userland, which has the sanitizer's library.
threads_test.py BUILD: builds what it needs in BUILD/threads, once."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
SKIPPED = 77
# Of the readers' tests, the one of two threads at one surface. The others wait for readers, for seconds.
FILTER = '--gtest_filter=*Lifetime*:*Threads*:Late*:*Readers.AreWaitedForByCopies*'


def main():
    build = os.path.realpath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, 'build'))
    os.environ['BUILD'] = build
    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import va_test  # pylint: disable=import-outside-toplevel  # which reads BUILD

    out, daedalus = os.path.join(build, 'threads'), os.environ.get('DAEDALUS_BUILD', os.path.join(build, 'daedalus'))
    if not os.path.exists(os.path.join(daedalus, 'kernel/daedalus_v4l2.ko')) or not shutil.which('ffmpeg'):
        print('skipped: daedalus is not built, or ffmpeg is not installed')
        return SKIPPED
    if not os.path.exists(os.path.join(out, 'build.ninja')):
        # Lines are all that a report wants, and -O1 compiles in two thirds of the time.
        subprocess.run(['meson', 'setup', out, ROOT, '--buildtype=plain', '-Dcpp_args=-O1 -g1', '-Db_sanitize=thread', '-Db_lundef=false',
                        '-Ddaedalus=disabled', '-Dinfo=disabled'], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['ninja', '-C', out, '--quiet', 'src/v4l2_request_drv_video.so', 'tests/guest/va_threads'], check=True)
    with tempfile.TemporaryDirectory(prefix='threads_test.') as folder:
        os.chmod(folder, 0o755)
        va_test.expect(folder)
        shutil.copy(os.path.join(out, 'src/v4l2_request_drv_video.so'), folder)
        shutil.copy(os.path.join(out, 'tests/guest/va_threads'), folder)
        environment = {'LIBVA_DRIVERS_PATH': folder, 'LIBVA_DRIVER_NAME': 'v4l2_request', 'VA_SUITE_EXPECTED': folder,
                       'VA_SUITE_FIXTURES': os.path.join(ROOT, 'fixtures'), 'VA_SUITE_LARGER': 'no', 'TSAN_OPTIONS': 'exitcode=66 halt_on_error=0 history_size=4'}
        done = subprocess.run(
            [os.path.join(ROOT, 'scripts/guest'), 'run', '--device', 'daedalus', '--daedalus', daedalus, '--rootfs', 'host', '--share', folder,
             '--module-arg', 'larger=0', '--timeout', '600', *(word for name, value in environment.items() for word in ('--env', f'{name}={value}')), '--',
             os.path.join(folder, 'va_threads'), *(sys.argv[2:] or [FILTER])],
            check=False, capture_output=True, text=True, errors='replace')
    findings = re.findall(r'WARNING: ThreadSanitizer', done.stderr)
    ran = re.search(r'(\d+) tests? from .* ran', done.stdout)
    if done.returncode or findings:
        said = [line for line in done.stderr.splitlines() if not line.startswith('daedalusd: ')]
        print(done.stdout[-4000:], '\n'.join(said[:200]), sep='\n')
    print(f"{ran.group(1) if ran else 'no'} tests, {len(findings)} findings of ThreadSanitizer, exit status {done.returncode}")
    return 1 if done.returncode or findings or not ran else 0


if __name__ == '__main__':
    sys.exit(main())
