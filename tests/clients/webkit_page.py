# SPDX-License-Identifier: MIT
"""An application of WebKitGTK: a page with one video, played to its end and then sought.

webkit_page.py PATH: prints what the page says. GStreamer's own decoders for V4L2 requests, which it prefers, are switched
off: libva is to be seen."""

import json
import os
import sys

import gi

import window

HERE = os.path.dirname(os.path.realpath(__file__))
SERVER, DISPLAY = window.start_screen(800, 600)
PATIENCE = 200  # seconds
OWN = ('h264', 'h265', 'vp8', 'vp9', 'av1', 'mpeg2')
os.environ.update({'DISPLAY': DISPLAY, 'GST_PLUGIN_FEATURE_RANK': ','.join(f'v4l2sl{codec}dec:NONE' for codec in OWN)})
gi.require_version('Gtk', '3.0')
gi.require_version('WebKit2', '4.1')
from gi.repository import GLib, Gtk, WebKit2  # pylint: disable=wrong-import-position,wrong-import-order


def main():
    view, frame = WebKit2.WebView(), Gtk.Window()
    settings = view.get_settings()
    settings.set_allow_file_access_from_file_urls(True)
    settings.set_media_playback_requires_user_gesture(False)
    frame.set_default_size(800, 600)
    frame.add(view)
    frame.show_all()
    script = f'''load({json.dumps('file://' + sys.argv[1])}).then(play).then(states => show(1.55).then(() =>
        document.title = "done " + JSON.stringify(states))).catch(error => document.title = "error " + error)'''

    def titled(*_):
        title = view.get_title() or ''
        if title.startswith(('done', 'error')):
            print(title, flush=True)
            Gtk.main_quit()

    def loaded(_, event):
        if event == WebKit2.LoadEvent.FINISHED:
            view.evaluate_javascript(script, -1, None, None, None, None)

    view.connect('notify::title', titled)
    view.connect('load-changed', loaded)
    view.load_uri('file://' + os.path.join(HERE, 'browser_page.html'))
    GLib.timeout_add_seconds(PATIENCE, Gtk.main_quit)
    Gtk.main()
    SERVER.terminate()


if __name__ == '__main__':
    main()
