# SPDX-License-Identifier: MIT
"""The part of scripts/mutation-proof that runs in the guest: changes a field of a control, decodes, and compares.

mutation_runner.py JOBS.json: {"driver": DIR, "client": "libva" or "kdirect", "timeout": S, "streams": {NAME: {"codec", "path", "format", "mismatch",
"frames": [...]}}, "fields": [{"field", "attempts": [{"stream", "knob", ...}]}]}, where frames are what software makes
of the stream. Attempts are made until one is noticed. Prints a line of JSON for each stream, {"stream", "error"}, once
without any change, and one for each field, {"field", "how", "attempt", "tried"}. Ends with status 3 if the daemon is
gone: it must outlive whatever a control says."""

import glob
import json
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
from sweep import runner  # pylint: disable=wrong-import-position

KNOB = '/sys/kernel/debug/daedalus/mutate'


def set_knob(line):
    with open(KNOB, 'w', encoding='ascii') as file:
        file.write(line + '\n')


def read_knob():
    """{"seen": jobs with the control, "changed", "failed"} since the knob was set."""
    with open(KNOB, encoding='ascii') as file:
        words = file.read().splitlines()[1].split()
    return dict(zip(words[::2], map(int, words[1::2])))


def has_daemon():
    for path in glob.glob('/proc/[0-9]*/comm'):
        try:
            with open(path, encoding='ascii') as file:
                if file.read().strip() == 'daedalusd':
                    return True
        except OSError:
            pass  # a process that has just ended
    return False


def decode_kdirect(stream, settings):
    """(frames, error) of a stream straight on the kernel, of its first frames only."""
    task = dict(stream, column='kdirect', convert=stream['format'] == 'p010le')
    command = runner.gst_command(task)
    at = command.index('fdsink') - 5  # before the filter of caps
    # One more, because the decoder takes the last one's memory back at once.
    command[at:at] = ['!', 'identity', f'eos-after={len(stream["frames"]) + 1}']
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        timer = threading.Timer(settings['timeout'], process.kill)
        timer.start()
        frames = runner.read_gdp(process.stdout)
        process.terminate()  # after an error it may wait for ever
        process.wait()
        timer.cancel()
    return frames[: len(stream['frames'])], None


def decode(stream, settings):
    """(frames, error) of a stream through libva, of its first frames only."""
    if settings['client'] == 'kdirect':
        return decode_kdirect(stream, settings)
    command = runner.libva_command(stream, '/dev/dri/renderD128')
    at = command.index('-vf')
    command[at:at] = ['-frames:v', str(len(stream['frames']))]
    environment = dict(os.environ, LIBVA_DRIVER_NAME='v4l2_request', LIBVA_DRIVERS_PATH=settings['driver'])
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=settings['timeout'], check=False)
    except subprocess.TimeoutExpired:
        return [], 'timeout'
    frames, log = runner.read_framemd5(done.stdout.splitlines()), done.stderr.decode(errors='replace')
    if runner.FALLBACK.search(log):
        return frames, 'software fallback'
    if done.returncode:
        return frames, f'status {done.returncode}: {log[-600:]}'
    return frames, None


def attempt(trial, settings):
    """How the change was noticed, or None: "check", "pixels", "frames"; "none in flight" if no job had the field.

    An error of a job reaches the client with its buffer, and the sweep counts such buffers: a picture that comes out right
    all the same is no match."""
    stream = settings['streams'][trial['stream']]
    set_knob(trial['knob'])
    frames, error = decode(stream, settings)
    counts = read_knob()
    set_knob('')
    if not counts['changed']:
        return 'none in flight'
    if frames == stream['frames'] and not error:
        return 'check' if counts['failed'] else None
    if counts['failed']:
        return 'check'
    return 'pixels' if len(frames) == len(stream['frames']) and not error else 'frames'


def say(**words):
    print(json.dumps(words), flush=True)


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        settings = json.load(file)
    clean = {}

    def is_clean(name):
        if name not in clean:
            set_knob('')
            frames, error = decode(settings['streams'][name], settings)
            if failed := read_knob()['failed']:
                error = error or f'{failed} jobs failed'
            clean[name] = frames == settings['streams'][name]['frames'] and not error
            say(stream=name, error=None if clean[name] else error or 'other frames than in software')
        return clean[name]

    for field in settings['fields']:
        how, last, tried = None, None, 0
        for trial in field['attempts']:
            if not is_clean(trial['stream']):
                continue
            tried += 1
            outcome = attempt(trial, settings)
            if not has_daemon():
                say(field=field['field'], how='daemon gone', attempt=trial, tried=tried)
                sys.exit(3)
            # A change that nobody noticed says more than one that did not come about.
            if last is None or outcome != 'none in flight':
                how, last = outcome, trial
            if outcome in ('check', 'pixels', 'frames'):
                break
        say(field=field['field'], how=how, attempt=last, tried=tried)


if __name__ == '__main__':
    os.environ.setdefault('LC_ALL', 'C')
    main()
