#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The guest itself: what goes in must arrive, what comes out must be exact, and nothing may stay behind."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

GUEST = os.path.join(os.path.dirname(os.path.realpath(__file__)), '../../scripts/guest')
ALL_BYTES = bytes(range(256)) * 300  # more than a pipe or a serial line holds


def path(what):
    return subprocess.run([GUEST, 'path', what], check=True, capture_output=True, text=True).stdout.rstrip('\n')


def run(*command, options=(), **settings):
    arguments = [GUEST, 'run', '--timeout', '120', *options, '--', *command]
    return subprocess.run(arguments, capture_output=True, check=False, timeout=200, **settings)


def kernels_of(run_dir):
    """Kernels that serve a run: its directory is on their command line."""
    result = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError), open(f'/proc/{pid}/cmdline', 'rb') as file:
            if run_dir.encode() in file.read():
                result.append(int(pid))
    return result


def session_of(pid):
    """Processes of the session that a kernel leads: those that it keeps for its address spaces too."""
    result = []
    for other in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            if os.getsid(int(other)) == pid:
                result.append(int(other))
    return result


def eventually(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def runs():
    folder = os.path.join(path('cache'), 'runs')
    return {os.path.join(folder, name) for name in os.listdir(folder)} if os.path.isdir(folder) else set()


class Command(unittest.TestCase):
    def test_exit_status(self):
        for status in (0, 7, 255):
            self.assertEqual(run('sh', '-c', f'exit {status}').returncode, status)
        self.assertEqual(run('sh', '-c', 'kill -SEGV $$').returncode, 128 + signal.SIGSEGV)
        self.assertEqual(run('/no/such/command').returncode, 127)

    def test_output_is_exact_and_apart(self):
        with tempfile.TemporaryDirectory(dir=path('cache')) as folder:
            with open(os.path.join(folder, 'bytes'), 'wb') as file:
                file.write(ALL_BYTES)
            result = run('sh', '-c', 'cat bytes; tail -c 1000 bytes >&2', cwd=folder)
        self.assertEqual(result.stdout, ALL_BYTES)
        self.assertEqual(result.stderr, ALL_BYTES[-1000:])

    def test_nothing_is_added(self):
        result = run('true', options=('--device', 'visl'))
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b'', b''))

    def test_output_comes_while_the_command_runs(self):
        command = [GUEST, 'run', '--', 'sh', '-c', 'echo first; sleep 60']
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            start = time.monotonic()
            self.assertEqual(process.stdout.readline(), b'first\n')
            self.assertLess(time.monotonic() - start, 30)
            process.terminate()
            self.assertEqual(process.wait(10), 128 + signal.SIGTERM)

    def test_arguments_are_exact(self):
        arguments = ['two words', '"quoted"', "it's", 'a\nb\n', '', '$HOME `id` \\', '*', '-n', '\udcff\udc80é', '--']
        result = run('python3', '-c', 'import os, sys; [print(os.fsencode(a)) for a in sys.argv[1:]]', *arguments)
        self.assertEqual(result.stdout.decode().splitlines(), [str(os.fsencode(a)) for a in arguments], result.stderr)

    def test_environment(self):
        result = run('sh', '-c', 'echo "$A|$HOME|$LANG|$TERM|$GST_REGISTRY_FORK|${FROM_HOST-unset}"',
                     options=('--env', 'A=b c=d'), env={**os.environ, 'FROM_HOST': '1', 'TERM': 'vt100'})
        self.assertEqual(result.stdout, b'b c=d|/tmp|C.UTF-8||no|unset\n')

    def test_options_are_judged(self):
        self.assertEqual(run(options=()).returncode, 2)
        self.assertEqual(run('true', options=('--env', 'novalue')).returncode, 2)
        self.assertEqual(run('true', options=('--mem', 'much')).returncode, 2)


class Files(unittest.TestCase):
    def test_working_directory_is_the_same(self):
        with tempfile.TemporaryDirectory(prefix='a b,c#') as folder:
            folder = os.path.realpath(folder)
            with open(os.path.join(folder, 'in'), 'w') as file:
                file.write('in\n')
            result = run('sh', '-c', 'pwd; cat in; echo out >out', cwd=folder)
            self.assertEqual(result.stdout.decode(), f'{folder}\nin\n')
            with open(os.path.join(folder, 'out')) as file:
                self.assertEqual(file.read(), 'out\n')

    def test_shared_directory(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run('sh', '-c', f'head -c 3000000 /dev/zero >{folder}/zeros', options=('--share', folder))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(os.path.getsize(os.path.join(folder, 'zeros')), 3000000)

    def test_a_system_directory_is_not_shared(self):
        result = run('true', options=('--share', '/usr'))
        self.assertEqual(result.returncode, 125)
        self.assertIn(b'/usr cannot be shared', result.stderr)

    def test_the_host_is_not_written_to(self):
        for rootfs in ('trixie', 'host'):
            name = f'/usr/guest-test-{os.getpid()}'
            script = f'echo 1 >{name} && cat {name}; echo 2 >/host{name} || echo refused'
            result = run('sh', '-c', script, options=('--rootfs', rootfs))
            self.assertEqual(result.stdout, b'1\nrefused\n')
            self.assertFalse(os.path.exists(name))
            self.assertFalse(os.path.exists(path('rootfs') + name))

    def test_host_userland(self):
        with open('/etc/os-release', 'rb') as file:
            self.assertEqual(run('cat', '/etc/os-release', options=('--rootfs', 'host')).stdout, file.read())
        self.assertIn(b'trixie', run('cat', '/etc/os-release').stdout)


class Devices(unittest.TestCase):
    def nodes(self, *options):
        result = run('sh', '-c', 'ls -d /dev/video* /dev/media* /dev/dri/renderD* 2>/dev/null', options=options)
        return result.stdout.decode().split()

    def test_none(self):
        self.assertEqual(self.nodes(), ['/dev/dri/renderD128'])

    def test_visl(self):
        self.assertEqual(self.nodes('--device', 'visl'), ['/dev/dri/renderD128', '/dev/media0', '/dev/video0'])

    def test_render_node_is_vgem(self):
        result = run('sh', '-c', 'modprobe vkms; readlink -f /sys/class/drm/renderD128/device')
        self.assertIn(b'vgem', result.stdout, result.stderr)

    def test_module_argument(self):
        result = run('cat', '/sys/module/visl/parameters/visl_transtime_ms',
                     options=('--device', 'visl', '--module-arg', 'visl_transtime_ms=7'))
        self.assertEqual(result.stdout, b'7\n')

    def test_a_device_that_does_not_load(self):
        result = run('true', options=('--device', 'visl', '--module-arg', 'visl_transtime_ms=soon'))
        self.assertEqual(result.returncode, 125)
        self.assertIn(b'guest: ', result.stderr)

    def test_daedalus_that_is_not_built(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run('true', options=('--device', 'daedalus', '--daedalus', folder))
        self.assertEqual(result.returncode, 125)
        self.assertIn(b'daedalus_v4l2.ko is not there', result.stderr)

    def test_compliance(self):
        result = run('v4l2-compliance', '-d', '/dev/video0', options=('--device', 'visl'))
        self.assertEqual(result.returncode, 0, result.stdout.decode()[-2000:])
        self.assertIn(b'Failed: 0, Warnings: 0', result.stdout)

    def test_kernel_direct_decoder(self):
        exists = ('gst-inspect-1.0', '--exists', 'v4l2slh264dec')
        self.assertEqual(run(*exists, options=('--device', 'visl')).returncode, 0)
        self.assertEqual(run(*exists).returncode, 1)

    def test_controls_can_be_traced(self):
        result = run('sh', '-c', 'cd /sys/kernel/tracing; cat trace_clock; ls -d events/visl_*', options=(
            '--device', 'visl', '--cpus', '1', '--kernel-arg', 'trace_clock=counter'))
        self.assertIn(b'[counter]', result.stdout)
        self.assertIn(b'events/visl_h264_controls', result.stdout)

    def test_processors(self):
        for number in (b'1', b'2'):
            self.assertEqual(run('nproc', options=('--cpus', number.decode())).stdout.strip(), number)


class OutOfTree(unittest.TestCase):
    SOURCE = '''
        #include <linux/module.h>
        #include <media/v4l2-mem2mem.h>
        #include <media/videobuf2-vmalloc.h>
        static int number;
        module_param(number, int, 0444);
        static int __init start(void)
        {
            pr_info("number %d %ps %d\\n", number, v4l2_m2m_init, !!vb2_vmalloc_memops.alloc);
            return 0;
        }
        static void __exit end(void) {}
        module_init(start);
        module_exit(end);
        MODULE_LICENSE("GPL");
        MODULE_DESCRIPTION("A stand-in for the decoder.");
    '''

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source, self.build = os.path.join(folder.name, 'source'), os.path.join(folder.name, 'build')
        os.makedirs(self.source)
        os.makedirs(os.path.join(self.build, 'daemon'))
        for name, text in (('Kbuild', 'obj-m := daedalus_v4l2.o\n'), ('daedalus_v4l2.c', self.SOURCE)):
            with open(os.path.join(self.source, name), 'w') as file:
                file.write(text)
        subprocess.run([GUEST, 'module', self.source, os.path.join(self.build, 'kernel')], check=True,
                       stdout=subprocess.DEVNULL)

    def daemon(self, text):
        path = os.path.join(self.build, 'daemon/daedalusd')
        with open(path, 'w') as file:
            file.write('#!/bin/sh\n' + text)
        os.chmod(path, 0o755)

    def with_daedalus(self, *command, options=()):
        return run(*command, options=('--device', 'daedalus', '--daedalus', self.build, *options))

    def test_module(self):
        self.assertEqual(sorted(os.listdir(self.source)), ['Kbuild', 'daedalus_v4l2.c'])
        log = os.path.join(self.build, 'dmesg')
        options = ('--no-daemon', '--module-arg', 'number=42', '--dmesg', log)
        self.assertEqual(self.with_daedalus('true', options=options).returncode, 0)
        with open(log) as file:
            self.assertIn('number 42 v4l2_m2m_init', file.read())

    def test_daemon(self):
        self.daemon('echo "$3"; [ "$1" = --ready-file ] && sleep 0.3 && touch "$2"; touch /tmp/served; exec sleep 1000')
        result = self.with_daedalus('sh', '-c', 'sleep 0.3; cat /tmp/served && pidof sleep >/dev/null; exit 5',
                                    options=('--daemon-arg', 'two words'))
        self.assertEqual(result.returncode, 5)
        self.assertEqual(result.stderr, b'guest: the daemon said:\ntwo words\n')

    def test_daemon_that_ends(self):
        self.daemon('echo no such thing; exit 1')
        result = self.with_daedalus('true')
        self.assertEqual(result.returncode, 125)
        self.assertIn(b'the daemon ended before it was ready', result.stderr)
        self.assertIn(b'no such thing', result.stderr)


class Ends(unittest.TestCase):
    def start(self, *options):
        before = runs()
        process = subprocess.Popen([GUEST, 'run', *options, '--', 'sh', '-c', 'echo up; sleep 1000'],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.assertEqual(process.stdout.readline(), b'up\n')
        # Of the runs that began meanwhile, ours is the one whose kernel is our child.
        for run_dir in runs() - before:
            for pid in kernels_of(run_dir):
                with open(f'/proc/{pid}/stat') as file:
                    if int(file.read().rsplit(')', 1)[1].split()[1]) == process.pid:
                        return process, run_dir, pid
        self.fail('the kernel is not there')

    def test_timeout(self):
        start = time.monotonic()
        process, run_dir, kernel = self.start('--timeout', '4')
        processes = session_of(kernel)
        self.assertGreater(len(processes), 1)
        self.assertEqual(process.wait(10), 124)
        self.assertLess(time.monotonic() - start, 10)
        self.assertIn(b'guest: timed out after 4 s', process.stderr.read())
        self.assertTrue(eventually(lambda: not session_of(kernel)))
        self.assertFalse(os.path.exists(run_dir))

    def test_killed(self):
        process, run_dir, kernel = self.start()
        self.assertGreater(len(session_of(kernel)), 1)
        process.kill()
        self.assertTrue(eventually(lambda: not session_of(kernel)))
        self.assertEqual(run('true').returncode, 0)
        self.assertFalse(os.path.exists(run_dir))

    def test_reader_that_goes_away(self):
        start = time.monotonic()
        shell = f'set -o pipefail; {GUEST} run --timeout 60 -- yes | head -n 1'
        result = subprocess.run(['bash', '-c', shell], capture_output=True, check=False)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (128 + signal.SIGPIPE, b'y\n', b''))
        self.assertLess(time.monotonic() - start, 40)

    def test_reader_that_takes_its_time(self):
        shell = f'{GUEST} run -- head -c 199000 /dev/zero | (sleep 8; wc -c)'
        self.assertEqual(subprocess.check_output(['bash', '-c', shell]), b'199000\n')

    def test_what_the_command_leaves_running_is_ended(self):
        start = time.monotonic()
        self.assertEqual(run('sh', '-c', 'sleep 1000 & echo done').stdout, b'done\n')
        self.assertLess(time.monotonic() - start, 40)

    def test_two_at_a_time(self):
        with tempfile.TemporaryDirectory() as folder:
            meet = 'echo $1 >/etc/mine; touch $1; while ! [ -e $2 ]; do sleep 0.1; done; cat /etc/mine; ls /dev/video*'
            pair = [subprocess.Popen([GUEST, 'run', '--timeout', '60', '--device', 'visl', '--', 'sh', '-c', meet, 'sh',
                                      *names], cwd=folder, stdout=subprocess.PIPE) for names in ('ab', 'ba')]
            self.assertEqual([process.communicate()[0] for process in pair],
                             [b'a\n/dev/video0\n', b'b\n/dev/video0\n'])

    def test_panic(self):
        result = run('true', options=('--kernel-arg', 'init=/no/such/init'))
        self.assertEqual(result.returncode, 125)
        self.assertIn(b'guest: the kernel died', result.stderr)
        self.assertIn(b'Kernel panic', result.stderr)

    def test_no_warning_of_the_kernel(self):
        messages = run('dmesg', options=('--device', 'visl')).stdout
        self.assertNotIn(b'WARNING', messages)
        self.assertNotIn(b'cut here', messages)


if __name__ == '__main__':
    if '-v' in sys.argv:
        print(subprocess.run([GUEST, 'path', 'kernel'], capture_output=True, text=True, check=True).stdout, end='')
    unittest.main()
