# SPDX-License-Identifier: MIT
"""Firefox, driven over Marionette: what a page, its media players and the process that decodes say."""

import base64
import fcntl
import itertools
import json
import os
import socket
import struct
import subprocess
import tempfile
import time

from browser import Failure

FOLDER = '/usr/lib/firefox-esr'
PORTS = itertools.count(2828)  # one for each: what one has just left may still look taken
# Each with why it is there: docs/clients.md tells people.
ALWAYS = {
    'gfx.webrender.all': True,  # GL is software's here, which is not accepted otherwise
    'media.autoplay.default': 0,
    'browser.shell.checkDefaultBrowser': False,
    'browser.startup.homepage_override.mstone': 'ignore',
    'datareporting.policy.dataSubmissionEnabled': False,
    'app.normandy.enabled': False,
    'browser.sessionstore.resume_from_crash': False,
}
SOFTWARE = {'media.hardware-video-decoding.enabled': False}
# What glxtest, Firefox's look at the GPU, says on a board. The real one says llvmpipe here, of which no other pictures than
# its own are taken.
BOARD = '''DRI_DRIVER
panfrost
VENDOR
Mesa
RENDERER
Mali-G52 (Panfrost)
VERSION
3.1 Mesa 26.1.6
TFP
TRUE
MESA_ACCELERATED
TRUE
DRM_RENDERDEVICE
/dev/dri/renderD128
TEST_TYPE
EGL
'''
INTERFACE_UP = struct.pack('16sh14x', b'lo', 1)
SIOCSIFFLAGS = 0x8914


def prepare():
    """A board's answer about the GPU, and the network of a machine with itself, over which Marionette speaks."""
    path = FOLDER + '/glxtest'
    with open(path + '.new', 'w', encoding='utf-8') as file:
        file.write(f"#!/bin/sh\ncat >/proc/self/fd/$2 <<'END'\n{BOARD}END\n")
    os.chmod(path + '.new', 0o755)
    os.rename(path + '.new', path)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, INTERFACE_UP)


class Firefox:
    """One browser, with a profile of its own."""

    def __init__(self, profile, log, node):
        os.mkdir(profile)
        self.port = next(PORTS)
        preferences = {**ALWAYS, 'marionette.port': self.port, **(SOFTWARE if node is None else {})}
        with open(profile + '/user.js', 'w', encoding='utf-8') as file:
            file.writelines(f'user_pref({json.dumps(name)}, {json.dumps(value)});\n' for name, value in preferences.items())
        prepare()
        environment = {**os.environ, 'MOZ_DISABLE_RDD_SANDBOX': '1', 'MOZ_ENABLE_WAYLAND': '1',
                       'MOZ_LOG': 'FFmpegVideo:5,PlatformDecoderModule:5'}
        command = [FOLDER + '/firefox-esr', '--no-remote', '--marionette', '--remote-allow-system-access', '--profile', profile]
        self.process = subprocess.Popen([*command, 'about:blank'], stdout=log, stderr=log, env=environment)
        self.socket, self.rest, self.number, self.about, self.first = None, b'', 0, {}, None

    def start(self):
        self.socket = self.connect()
        self.receive()  # who it is
        self.about = self.call('WebDriver:NewSession')['capabilities']
        self.call('WebDriver:SetTimeouts', script=200_000, pageLoad=200_000)
        self.first = self.call('WebDriver:GetWindowHandle')['value']

    def connect(self):
        start = time.monotonic()
        while self.process.poll() is None and time.monotonic() - start < 300:
            try:
                connection = socket.create_connection(('127.0.0.1', self.port), 10)
                connection.settimeout(250)
                return connection
            except OSError:
                time.sleep(0.2)
        raise Failure('Firefox does not listen')

    def receive(self):
        """A message: its length, a colon, JSON."""
        while b':' not in self.rest:
            self.receive_more()
        length, self.rest = self.rest.split(b':', 1)
        while len(self.rest) < int(length):
            self.receive_more()
        message, self.rest = self.rest[: int(length)], self.rest[int(length) :]
        return json.loads(message)

    def receive_more(self):
        try:
            chunk = self.socket.recv(1 << 16)
        except OSError as error:
            raise Failure(f'Firefox does not answer: {error}') from error
        if not chunk:
            raise Failure('Firefox has gone')
        self.rest += chunk

    def call(self, command, **parameters):
        if not self.socket:
            raise Failure('Firefox never listened')
        self.number += 1
        data = json.dumps([0, self.number, command, parameters]).encode()
        self.socket.sendall(b'%d:%s' % (len(data), data))
        _, _, error, result = self.receive()
        if error:
            raise Failure(f'{command}: {error["message"]}')
        return result

    def script(self, body, arguments=(), sandbox='default'):
        """What an asynchronous function returns."""
        text = f'''const [text, done] = arguments;
            (async () => {{ {body} }})().then(result => done({{result}}), error => done({{error: String(error)}}))'''
        answer = self.call('WebDriver:ExecuteAsyncScript', script=text, args=list(arguments) or [None], sandbox=sandbox,
                           newSandbox=False)['value']
        if 'error' in answer:
            raise Failure(answer['error'])
        return answer.get('result')

    def of_itself(self, body):
        """A script with the browser's own rights."""
        self.call('Marionette:SetContext', value='chrome')
        try:
            return self.script(body)
        finally:
            self.call('Marionette:SetContext', value='content')

    def version(self):
        return f'{self.about["browserName"]} {self.about["browserVersion"]}'

    def renderer(self):
        return self.of_itself('return window.windowUtils.layerManagerType')

    def decoding_process(self):
        return self.of_itself('''const all = (await ChromeUtils.requestProcInfo()).children;
            return all.filter(one => one.type === "rdd").map(one => one.pid)[0]''')

    def tab(self, page):
        return Tab(self, page)

    def end(self):
        try:
            self.call('Marionette:Quit', flags=['eForceQuit'])
            self.process.wait(60)
        except (Failure, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Tab:
    """A tab with one page in it."""

    def __init__(self, browser, page):
        self.browser = browser
        self.handle = browser.call('WebDriver:NewWindow', type='tab', focus=True)['handle']
        browser.call('WebDriver:SwitchToWindow', handle=self.handle)
        browser.call('WebDriver:Navigate', url='file://' + page)

    def run(self, script):
        return self.browser.script('return await window.wrappedJSObject.eval(text)', [script])

    def decoders(self):
        """For each of the page's players whether hardware decodes. What decodes has no name any more when all is decoded."""
        return self.browser.script('''const videos = [...document.querySelectorAll("video")];
            const about = await Promise.all(videos.map(video => video.mozRequestDebugInfo()));
            return about.map(one => [null, String(one.decoder.reader.videoHardwareAccelerated)])''',
                                   sandbox='system')

    def screenshot(self, path, width, height):
        """What is on the screen, which the compositor knows. What Firefox tells of itself it draws in another way."""
        left, top = self.browser.of_itself(
            'const {x, y} = gBrowser.selectedBrowser.getBoundingClientRect(); return [Math.round(x), Math.round(y)]')
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(['weston-screenshooter'], cwd=folder, check=True)
            screen = os.path.join(folder, os.listdir(folder)[0])
            subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', '-y', '-i', screen, '-vf',
                            f'crop={width}:{height}:{left}:{top}', '-update', '1', path], check=True)

    def close(self):
        self.browser.call('WebDriver:CloseWindow')
        self.browser.call('WebDriver:SwitchToWindow', handle=self.browser.first)
