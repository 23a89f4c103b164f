# SPDX-License-Identifier: MIT
"""What tests share that run what was built in the guest. BUILD names the build folder (default: build)."""

import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
BUILD = os.path.realpath(os.environ.get('BUILD', os.path.join(ROOT, 'build')))
DRIVER = os.environ.get('V4L2_REQUEST_DRIVER', os.path.join(BUILD, 'src/v4l2_request_drv_video.so'))
DAEDALUS = os.environ.get('DAEDALUS_BUILD', os.path.join(BUILD, 'daedalus'))


class InTheGuest(unittest.TestCase):
    """A folder with the driver, which libva finds there in the guest. Skipped where something is not built."""

    needed = ()  # programs besides the driver
    copied = ()  # those of them that have to be in the folder

    @classmethod
    def setUpClass(cls):
        for program in (DRIVER, *cls.needed, *cls.copied):
            if not os.path.exists(program):
                raise unittest.SkipTest(f'{program} is not built')
        cls.folder = tempfile.mkdtemp(prefix=f'{cls.__name__}.')
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        os.chmod(cls.folder, 0o755)  # for a user without privileges
        # The module alone in a folder: a guest shares whole folders, and libva looks for it by name.
        for program in (DRIVER, *cls.copied):
            shutil.copy(program, cls.folder)

    def guest(self, device, *command, kind='--device', options=(), env=(), timeout=1800):
        """Runs the command on the device, or on the board (kind '--board')."""
        if device == 'daedalus':
            if not os.path.exists(os.path.join(DAEDALUS, 'kernel/daedalus_v4l2.ko')):
                self.skipTest('the kernel module of daedalus is not built')
            options = ('--daedalus', DAEDALUS, *options)
        settings = {'LIBVA_DRIVERS_PATH': self.folder, 'LIBVA_DRIVER_NAME': 'v4l2_request', **dict(env)}
        return subprocess.run(
            [os.path.join(ROOT, 'scripts/guest'), 'run', kind, device, '--share', self.folder, '--timeout', str(timeout),
             *(word for name, value in settings.items() for word in ('--env', f'{name}={value}')), *options, '--', *command],
            capture_output=True, text=True, errors='replace', check=False, timeout=timeout + 120)
