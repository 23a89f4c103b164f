# SPDX-License-Identifier: MIT
"""The part of the client suite that runs in the guest: runs clients, and prints one line of JSON for each.

in_guest.py JOBS.json: {"driver": DIR, "sweep": DIR, "jobs": N, "packages": [...], "tasks": [{"id",
"command", "timeout"}]}. The first line has the versions of the packages. libva itself counts what each client
calls (LIBVA_TRACE): "calls" has what succeeded, by name; "failed" what did not, by name and status."""

import collections
import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

RETURNED = re.compile(r'=(va\w+) ret = (VA_STATUS_\w+)')


def count_calls(folder):
    calls, failed = collections.Counter(), collections.Counter()
    for path in glob.glob(folder + '/*'):
        with open(path, errors='replace', encoding='utf-8') as file:
            for line in file:
                if match := RETURNED.search(line):
                    if match[2] == 'VA_STATUS_SUCCESS':
                        calls[match[1]] += 1
                    else:
                        failed[f'{match[1]} {match[2]}'] += 1
    return dict(calls), dict(failed)


def decode(task, settings, clients):
    """Runs one client. Its frames are what it prints in the form of framemd5."""
    start, log, late = time.monotonic(), [], []
    with tempfile.TemporaryDirectory() as traces:
        environment = {**os.environ, 'LIBVA_DRIVER_NAME': 'v4l2_request', 'LIBVA_DRIVERS_PATH': settings['driver'],
                       'GST_VA_ALL_DRIVERS': '1', 'GST_VAAPI_ALL_DRIVERS': '1',
                       'GST_VAAPI_DRM_DEVICE': '/dev/dri/renderD128', 'LIBVA_TRACE': traces + '/trace'}
        with subprocess.Popen(task['command'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=environment, start_new_session=True) as process:
            timer = threading.Timer(task['timeout'], lambda: (late.append(1), os.killpg(process.pid, signal.SIGKILL)))
            timer.start()
            listener = threading.Thread(target=lambda: log.extend(process.stderr))
            listener.start()
            try:
                output = process.stdout.readlines()
            finally:
                status = process.wait()
                timer.cancel()
                listener.join()
        calls, failed = count_calls(traces)
    text = b''.join(log).decode(errors='replace')
    return {'frames': clients.read_framemd5(output), 'output': b''.join(output).decode(errors='replace')[:20000], 'status': status, 'calls': calls, 'failed': failed, 'log': text[-6000:],
            'error': 'timeout' if late else f'signal {-status}' if status < 0 else
                     'software fallback' if clients.FALLBACK.search(text) else None,
            'seconds': round(time.monotonic() - start, 2)}


def versions(packages):
    query = ['dpkg-query', '-W', '-f', '${Package} ${Version}\n', *packages]
    lines = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    return dict(line.split() for line in lines if len(line.split()) == 2)


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        settings = json.load(file)
    sys.path.insert(0, settings['sweep'])
    from sweep import runner as clients  # pylint: disable=import-outside-toplevel
    print(json.dumps({'versions': versions(settings['packages'])}), flush=True)
    lock = threading.Lock()

    def run(task):
        try:
            result = decode(task, settings, clients)
        except Exception as failure:  # pylint: disable=broad-except  # one client must not end the others
            result = {'frames': [], 'output': '', 'status': None, 'error': f'runner: {failure!r}', 'calls': {},
                      'failed': {}, 'log': '', 'seconds': 0}
        with lock:
            print(json.dumps({'id': task['id'], **result}), flush=True)

    clients.side_by_side(run, settings['tasks'], settings['jobs'])


if __name__ == '__main__':
    main()
