# SPDX-License-Identifier: MIT
"""Chromium, driven over the pipe of its DevTools: what a page, its media players and the GPU process say."""

import base64
import json
import os
import subprocess
import threading
import time

from browser import Failure

# Each with why it is there: docs/clients.md tells people.
ALWAYS = (
    '--no-sandbox',  # root has no user namespaces here
    '--no-first-run', '--no-default-browser-check', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--remote-debugging-pipe', '--autoplay-policy=no-user-gesture-required', '--enable-logging=stderr',
    '--window-size=1024,768', '--hide-scrollbars', '--force-device-scale-factor=1', '--force-color-profile=srgb',
    '--ozone-platform=wayland',
    '--ignore-gpu-blocklist',  # the GPU is software's here
    '--use-gl=angle', '--use-angle=gles', '--disable-features=Vulkan',  # only the GL path takes any VA driver's pictures
)
SOFTWARE = ('--disable-accelerated-video-decode',)


def hardware(node):
    """The GPU of a board is no PCI device: Chromium does not find it by itself."""
    return ('--disable-gpu-sandbox', '--hardware-video-device-path=' + node)


class Chromium:
    """One browser, with a profile of its own."""

    def __init__(self, profile, log, node):
        flags = SOFTWARE if node is None else hardware(node)
        commands, answers = os.pipe(), os.pipe()
        # A shell puts the two pipes where Chromium looks for them.
        command = ['sh', '-c', f'exec "$@" 3<&{commands[0]} 4>&{answers[1]}', 'sh', 'chromium',
                   '--user-data-dir=' + profile, *ALWAYS, *flags, 'about:blank']
        self.process = subprocess.Popen(command, pass_fds=(commands[0], answers[1]), stdout=log, stderr=log)
        os.close(commands[0])
        os.close(answers[1])
        self.commands, self.replies = commands[1], os.fdopen(answers[0], 'rb')
        self.news, self.number, self.answers, self.players = threading.Condition(), 0, {}, {}

    def start(self):
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        rest = b''
        while chunk := self.replies.read1(1 << 16):
            *messages, rest = (rest + chunk).split(b'\0')
            with self.news:
                for message in map(json.loads, messages):
                    if 'id' in message:
                        self.answers[message['id']] = message
                    elif message['method'] == 'Media.playerPropertiesChanged':
                        player = (message['sessionId'], message['params']['playerId'])
                        self.players.setdefault(player, {}).update(
                            {each['name']: each['value'] for each in message['params']['properties']})
                self.news.notify_all()

    def call(self, method, session=None, patience=200, **parameters):
        with self.news:
            self.number += 1
            number = self.number
        message = {'id': number, 'method': method, 'params': parameters, **({'sessionId': session} if session else {})}
        os.write(self.commands, json.dumps(message).encode() + b'\0')
        with self.news:
            if not self.news.wait_for(lambda: number in self.answers, patience):
                raise Failure(f'{method} was not answered')
            answer = self.answers.pop(number)
        if 'error' in answer:
            raise Failure(f'{method}: {answer["error"]["message"]}')
        return answer['result']

    def version(self):
        return self.call('Browser.getVersion')['product']

    def decoding_process(self):
        """The GPU process' id."""
        processes = self.call('SystemInfo.getProcessInfo')['processInfo']
        return next(process['id'] for process in processes if process['type'] == 'GPU')

    def renderer(self):
        return self.call('SystemInfo.getInfo')['gpu'].get('auxAttributes', {}).get('glRenderer')

    def tab(self, page):
        return Tab(self, page)

    def end(self):
        try:
            self.call('Browser.close', patience=20)
            self.process.wait(20)
        except (Failure, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Tab:
    """A tab with one page in it."""

    def __init__(self, browser, page):
        self.browser = browser
        self.target = browser.call('Target.createTarget', url='about:blank')['targetId']
        self.session = browser.call('Target.attachToTarget', targetId=self.target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Media'):
            browser.call(domain + '.enable', self.session)
        browser.call('Page.navigate', self.session, url='file://' + page)
        start = time.monotonic()
        while not self.run('typeof play === "function"'):
            if time.monotonic() - start > 90:
                raise Failure('the page was not loaded')
            time.sleep(0.1)

    def run(self, script):
        answer = self.browser.call('Runtime.evaluate', self.session, expression=script, awaitPromise=True,
                                   returnByValue=True)
        if 'exceptionDetails' in answer:
            raise Failure(answer['exceptionDetails'].get('exception', {}).get('description', 'a script failed'))
        return answer['result'].get('value')

    def decoders(self):
        """What decodes for each of the page's players: a name, and whether it is the platform's."""
        return [[about.get('kVideoDecoderName'), about.get('kIsPlatformVideoDecoder')]
                for (session, _), about in self.browser.players.items()
                if session == self.session and 'kVideoDecoderName' in about]

    def screenshot(self, path, width, height):
        clip = {'x': 0, 'y': 0, 'width': width, 'height': height, 'scale': 1}
        picture = self.browser.call('Page.captureScreenshot', self.session, clip=clip)['data']
        with open(path, 'wb') as file:
            file.write(base64.b64decode(picture))

    def close(self):
        self.browser.call('Target.closeTarget', targetId=self.target)
