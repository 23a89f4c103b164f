# SPDX-License-Identifier: MIT
"""Where the clients of a sweep run: in a guest, or here, on a board. Both run runner.py, and read what it prints."""

import contextlib
import glob
import json
import os
import select
import signal
import subprocess

import streams as library

HERE = os.path.dirname(os.path.realpath(__file__))
RUNNER = os.path.join(HERE, 'runner.py')
# A processor decodes here, beside others, and may be slow. Only a client has a limit then: the module waits for its daemon, and
# the driver for its device, for longer than any client may run (seconds; the module takes 0 for that).
FOR_DAEMON, FOR_DEVICE = 0, 3600
INFO = 'v4l2-request-info'
TRACE_KB = 65536  # a ring buffer for the longest stream
DIED = {'frames': [], 'status': None, 'log': '', 'seconds': 0}


class Place:
    """Runs tasks, all in one; after one that died, in another one what is left."""

    name = 'place'
    boot_time = 60  # to come up

    def __init__(self, options, folder):
        self.options, self.folder, self.boots = options, folder, 0

    def command(self, jobs_file, limit, jobs):
        """What runs runner.py there, for at most so many seconds."""
        raise NotImplementedError

    def display(self):
        """The node that libva is given."""
        return '/dev/dri/renderD128'

    def info(self):
        """The tool that tells which node serves what, where there may be several."""
        return None

    def run(self, tasks, done):
        """Calls done(task, result) for each task. A task that takes the place with it has the result DIED."""
        waiting = list(tasks)
        suspects = []  # tasks that ran when the place died: each gets one of its own
        while waiting or suspects:
            batch = [suspects.pop(0)] if suspects else waiting
            alone = len(batch) == 1
            started, ended = self.boot(batch, done)
            rest = [task for task in batch if task['id'] not in ended]
            if not rest:
                waiting = [task for task in waiting if task not in batch]
                continue
            culprits = [task for task in rest if task['id'] in started]
            if alone or not culprits:
                for task in culprits or rest:
                    done(task, dict(DIED, error=f'{self.name} died'))
                culprits = culprits or rest
            else:
                suspects += culprits
            waiting = [task for task in waiting if task['id'] not in ended and task not in culprits]

    def boot(self, tasks, done):
        """One run of the place. Returns the ids of tasks that it started and that it ended."""
        self.boots += 1
        options, by_id = self.options, {task['id']: task for task in tasks}
        jobs = 1 if options.payloads or len(tasks) == 1 else options.jobs
        jobs_file = os.path.join(self.folder, f'jobs-{self.boots}.json')
        with open(jobs_file, 'w', encoding='utf-8') as file:
            json.dump(
                {
                    'driver': options.driver_folder,
                    'info': self.info(),
                    'display': self.display(),
                    'jobs': jobs,
                    'timeout': options.timeout,
                    'trace_kb': TRACE_KB,
                    'trace': self.folder if options.payloads else None,
                    'job_log': bool(options.payloads and options.board),
                    'flags': options.device == 'daedalus',
                    'tasks': tasks,
                },
                file,
            )
        patience = max(task.get('timeout', options.timeout) for task in tasks)
        limit = self.boot_time + patience * (len(tasks) + jobs)
        started, ended = set(), set()
        with subprocess.Popen(
            self.command(jobs_file, limit, jobs), stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            try:
                # Every client has its time limit there: silence for longer means that the place hangs.
                for line in lines_of(process.stdout, self.boot_time + patience):
                    with contextlib.suppress(ValueError):
                        words = json.loads(line)
                        task = by_id[words['id']]
                        if words['event'] == 'start':
                            started.add(task['id'])
                        else:
                            ended.add(task['id'])
                            done(task, words)
            finally:
                if process.poll() is None and len(ended) < len(tasks):
                    process.send_signal(signal.SIGTERM)
                process.wait()
        if not started and process.returncode:
            raise library.SweepError(f'the {self.name} did not run (status {process.returncode})')
        return started, ended


class Guest(Place):
    name = 'guest'

    def info(self):
        return os.path.join(self.options.build, 'src', INFO) if self.options.board else None

    def command(self, jobs_file, limit, jobs):
        options = self.options
        trace = (
            ['--cpus', '1', '--kernel-arg', 'trace_clock=counter']
            if options.payloads and not options.board
            else ['--cpus', str(max(2, jobs))]
        )
        module_arguments = [f'timeout_ms={FOR_DAEMON}'] if options.device == 'daedalus' else []
        module_arguments += options.module_arg
        arguments = [argument for each in module_arguments for argument in ('--module-arg', each)]
        if options.slice_based and options.device == 'daedalus':
            arguments += ['--module-arg', 'slice_based=1']
        if options.device == 'daedalus':
            arguments += ['--daedalus', os.path.join(options.build, 'daedalus')]
            arguments += [f'--daemon-arg={each}' for each in options.daemon_arg]
        if options.board:  # pictures tell by each byte which job they come from, and by no more than that
            arguments += ['--module-arg', 'pattern=1', '--module-arg', 'stamp=0']
        if options.userland:
            arguments += ['--rootfs', options.userland]
        shared = {self.folder, library.cache_dir(), os.path.realpath(options.vectors), os.path.realpath(options.build)}
        for path in sorted(shared):
            arguments += ['--share', path]
        return [
            os.path.join(HERE, '../../guest'),
            'run',
            *(['--board', options.board] if options.board else ['--device', options.device]),
            '--mem',
            options.mem,
            '--timeout',
            str(limit),
            *trace,
            *arguments,
            '--env',
            'PYTHONDONTWRITEBYTECODE=1',
            '--env',
            f'V4L2_REQUEST_TIMEOUT={FOR_DEVICE}',
            *[word for each in options.env for word in ('--env', each)],
            '--dmesg',
            os.path.join(self.folder, f'dmesg-{self.boots}'),
            '--',
            'python3',
            RUNNER,
            jobs_file,
        ]


class Here(Place):
    """This machine itself: a board."""

    name = 'runner'

    def info(self):
        build = self.options.build
        return os.path.join(build, 'src', INFO) if build else INFO

    def command(self, jobs_file, limit, jobs):
        return ['timeout', '--kill-after=5', str(limit), 'python3', RUNNER, jobs_file]

    def display(self):
        nodes = sorted(glob.glob('/dev/dri/renderD*')) + sorted(glob.glob('/dev/dri/card*'))
        if not nodes:
            raise library.SweepError('there is no node in /dev/dri, and libva wants one')
        return nodes[0]


def lines_of(stream, silence):
    """Lines of a pipe, until its end or until it is silent for so many seconds."""
    pending = b''
    while select.select([stream], [], [], silence)[0]:
        data = os.read(stream.fileno(), 1 << 16)
        if not data:
            return
        *lines, pending = (pending + data).split(b'\n')
        yield from lines
