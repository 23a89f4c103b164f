# SPDX-License-Identifier: MIT
"""The part of the browser suite that runs in the guest: a compositor, a browser, and one line of JSON for each step.

browser_in_guest.py JOBS.json: {"browser": NAME, "driver": DIR, "pictures": DIR, "tasks": [{"codec", "path", "type", "parts", "sizes",
"in software"}]}: what is to be played; without the driver, perhaps something else."""

import base64
import json
import os
import stat
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import chromium  # pylint: disable=wrong-import-position
import firefox  # pylint: disable=wrong-import-position
import in_guest  # pylint: disable=wrong-import-position
from browser import Failure  # pylint: disable=wrong-import-position

RENDER, VIDEO = '/dev/dri/renderD128', '/dev/dri/for-video'
TIMES = (1.55, 0.35, 3.95)  # within groups of pictures; back; the last picture
BROWSERS = {'chromium': chromium.Chromium, 'firefox': firefox.Firefox}
ROUNDS = 6  # of a tab that is opened and closed


def start_compositor():
    """Weston, drawing with Mesa in software. That takes its buffers as dumb ones, which the kernel gives on a primary node
    only: so vgem's stands in the render node's place, and the render node has another name, for video."""
    os.mknod(VIDEO, 0o666 | stat.S_IFCHR, os.stat(RENDER).st_rdev)
    os.remove(RENDER)
    os.mknod(RENDER, 0o666 | stat.S_IFCHR, os.stat('/dev/dri/card0').st_rdev)
    with open('/tmp/weston.log', 'wb') as log:
        subprocess.Popen(['weston', '--backend=headless', '--renderer=gl', '--width=1024', '--height=768', '--shell=kiosk',
                          '--socket=screen', '--idle-time=0', '--debug'], stdout=log, stderr=log)
    os.environ['WAYLAND_DISPLAY'] = 'screen'
    for _ in range(300):
        if os.path.exists(os.path.join(os.environ['XDG_RUNTIME_DIR'], 'screen')):
            return
        time.sleep(0.1)
    with open('/tmp/weston.log', encoding='utf-8') as log:
        sys.exit('no compositor: ' + log.read())


def read(path):
    with open(path, 'rb') as file:
        return base64.b64encode(file.read()).decode()


class Run:
    """One browser, with or without the driver, through all steps."""

    def __init__(self, browser, name, settings):
        self.browser, self.name, self.settings = browser, name, settings

    def tell(self, step, **what):
        print(json.dumps({'run': self.name, 'step': step, **what}), flush=True)

    def step(self, step, action):
        """A step that goes wrong does not end the others."""
        start = time.monotonic()
        try:
            self.tell(step, **action(), process=self.browser.decoding_process(), seconds=round(time.monotonic() - start, 1))
        except Failure as failure:
            self.tell(step, error=str(failure))

    def tab(self):
        return self.browser.tab(os.path.join(HERE, 'browser_page.html'))

    def picture(self, tab, step, time_shown, size):
        path = os.path.join(self.settings['pictures'], f'{self.settings["browser"]}-{step}-{time_shown}-{self.name}.png'.replace(' ', '-'))
        at = tab.run(f'show({time_shown})')
        tab.screenshot(path, *size)
        return {'at': at, 'picture': path}

    def one(self, task):
        """From begin to end, then sought."""
        tab = self.tab()
        tab.run(f'load("file://{task["path"]}")')
        states = tab.run('play()')
        shown = [self.picture(tab, task['codec'], at, task['sizes'][0]) for at in TIMES]
        decoders = tab.decoders()
        tab.close()
        return {'videos': states, 'decoders': decoders, 'shown': shown}

    def sizes(self, task):
        """Parts of two sizes."""
        tab = self.tab()
        tab.run(f'loadParts({json.dumps(task["type"])}, {json.dumps([read(path) for path in task["parts"]])})')
        states = tab.run('play()')
        shown = [self.picture(tab, task['codec'] + ' sizes', at, size) for at, size in zip((4.95, 1.55), task['sizes'][::-1])]
        decoders = tab.decoders()
        tab.close()
        return {'videos': states, 'decoders': decoders, 'shown': shown}

    def two(self, tasks):
        """Two videos of one page at the same time."""
        tab = self.tab()
        for at, task in enumerate(tasks):
            tab.run(f'load("file://{task["path"]}", {at * 320})')
        states = tab.run('play()')
        decoders = tab.decoders()
        tab.close()
        return {'videos': states, 'decoders': decoders, 'shown': []}

    def again(self, task):
        """A tab that is closed while it plays, and opened anew: what the process that decodes keeps open after each."""
        kept, decoders = [], []
        for _ in range(ROUNDS):
            tab = self.tab()
            tab.run(f'load("file://{task["path"]}")')
            tab.run('videos[0].play().then(() => new Promise(yes => setTimeout(yes, 700)))')
            decoders += tab.decoders()
            tab.close()
            time.sleep(2)
            kept.append(len(os.listdir(f'/proc/{self.browser.decoding_process()}/fd')))
        return {'kept': kept, 'decoders': decoders}


def run_all(name, node, settings):
    with tempfile.TemporaryDirectory() as folder, open(folder + '/log', 'wb') as log:
        os.mkdir(folder + '/calls')
        os.environ['LIBVA_TRACE'] = folder + '/calls/trace'
        tasks = settings['tasks']
        if node is None:
            tasks = [{**task, **task.get('in software', {})} for task in tasks]
        browser = BROWSERS[settings['browser']](folder + '/profile', log, node)
        run = Run(browser, name, settings)
        try:
            browser.start()
            run.tell('start', version=browser.version(), renderer=browser.renderer())
            for task in tasks:
                run.step(task['codec'], lambda task=task: run.one(task))
            for task in tasks:
                run.step(task['codec'] + ' sizes', lambda task=task: run.sizes(task))
            if node is not None:
                run.step('two', lambda: run.two(tasks[:2]))
                run.step('again', lambda: run.again(tasks[0]))
        except Failure as failure:
            run.tell('end', error=str(failure))
        browser.end()
        calls, failed = in_guest.count_calls(folder + '/calls')
        with open(folder + '/log', errors='replace', encoding='utf-8') as said:
            lines = [line for line in said if 'dbus' not in line]
        run.tell('log', calls=calls, failed=failed, log=''.join(lines)[-20000:])


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        settings = json.load(file)
    os.environ.update({'LIBVA_DRIVER_NAME': 'v4l2_request', 'LIBVA_DRIVERS_PATH': settings['driver'], 'HOME': '/tmp'})
    start_compositor()
    run_all('hardware', VIDEO if settings['browser'] == 'chromium' else RENDER, settings)
    run_all('software', None, settings)


if __name__ == '__main__':
    main()
