#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is installed where, and that libva finds it. "install_test.py Installed" needs no guest, "... Found" runs in one.

BUILD names the build folder (default: build)."""

import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '..'))
BUILD = os.path.realpath(os.environ.get('BUILD', os.path.join(ROOT, 'build')))
DAEDALUS = os.environ.get('DAEDALUS_BUILD', os.path.join(BUILD, 'daedalus'))
MODULE = 'v4l2_request_drv_video.so'


class WithInstallation(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='install_test.')
        self.addCleanup(shutil.rmtree, self.folder)

    def install(self, *options):
        """Installs a tree with these options. Returns what is installed: path -> where a link points, or None."""
        tree, target = (os.path.join(self.folder, name) for name in ('tree', 'target'))
        subprocess.run(['meson', 'setup', tree, ROOT, '--prefix=/usr', '-Dtests=false', '-Ddaedalus=disabled',
                        '-Dinfo=disabled', '-Dreplay=disabled', *options], check=True, capture_output=True)
        # The module as built already: a second build would test nothing more.
        shutil.copy(os.path.join(BUILD, 'src', MODULE), os.path.join(tree, 'src'))
        subprocess.run(['meson', 'install', '-C', tree, '--no-rebuild', '--destdir', target], check=True,
                       capture_output=True)
        found = {}
        for folder, _, names in os.walk(target):
            for name in names:
                path = os.path.join(folder, name)
                found[path.removeprefix(target)] = os.readlink(path) if os.path.islink(path) else None
        return target, found


class Installed(WithInstallation):
    def folder_of_drivers(self):
        return subprocess.run(['pkg-config', '--variable=driverdir', 'libva'], check=True, capture_output=True,
                              text=True).stdout.strip()

    def test_the_module_alone(self):
        _, found = self.install()
        self.assertEqual(found, {f'{self.folder_of_drivers()}/{MODULE}': None})

    def test_links_and_environment(self):
        target, found = self.install('-Ddriver_links=panfrost,sun4i-drm', '-Denvironment=true')
        drivers, settings = self.folder_of_drivers(), '/usr/lib/environment.d/60-v4l2-request.conf'
        self.assertEqual(found, {f'{drivers}/{MODULE}': None, f'{drivers}/panfrost_drv_video.so': MODULE,
                                 f'{drivers}/sun4i-drm_drv_video.so': MODULE, settings: None})
        self.assertTrue(os.path.samefile(target + f'{drivers}/panfrost_drv_video.so', target + f'{drivers}/{MODULE}'))
        with open(target + settings, encoding='utf-8') as file:
            values = dict(line.strip().split('=') for line in file if '=' in line and not line.startswith('#'))
        self.assertEqual(values, {'LIBVA_DRIVER_NAME': 'v4l2_request', 'GST_VA_ALL_DRIVERS': '1'})


class Found(WithInstallation):
    def vainfo(self, *links):
        """vainfo on vkms' display node, where the guest has this installation and no variable of libva is set."""
        if not os.path.exists(os.path.join(DAEDALUS, 'kernel/daedalus_v4l2.ko')):
            self.skipTest('the kernel module of daedalus is not built')
        target, _ = self.install('-Ddriver_links=' + ','.join(links))
        return subprocess.run(
            [os.path.join(ROOT, 'scripts/guest'), 'run', '--device', 'daedalus', '--daedalus', DAEDALUS, '--share',
             target, '--', 'sh', '-c', f'cp -a {target}/. / && modprobe vkms && env | grep VA_; '
             'vainfo --display drm --device /dev/dri/card1'],
            capture_output=True, text=True, check=False, timeout=300)

    def test_by_the_name_of_the_display_driver(self):
        result = self.vainfo('panfrost', 'vkms')
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn('vkms_drv_video.so', result.stdout + result.stderr)
        self.assertIn('VAProfileH264Main', result.stdout)

    def test_without_the_link(self):
        result = self.vainfo('panfrost')
        self.assertNotEqual(result.returncode, 0)
        self.assertNotIn('VAProfile', result.stdout)


if __name__ == '__main__':
    unittest.main(verbosity=2)
