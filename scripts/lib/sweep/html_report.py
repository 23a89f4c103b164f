# SPDX-License-Identifier: MIT
"""The report of a sweep as one HTML file, without any part outside of it; and a page that joins many (scripts/sweep-report)."""

import html

from sweep import verdict as judge

STYLE = '''
:root { color-scheme: light dark; --ground: #fff; --text: #1d2125; --soft: #5b6570; --line: #d5dbe1; --good: #17703a;
  --bad: #b3261e; --panel: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --text: #e3e6e9; --soft: #98a2ad; --line: #343b42;
  --good: #6fcf8f; --bad: #ff8a80; --panel: #1e2327; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--ground); color: var(--text); font: 16px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.15rem; margin: 1.5rem 0 .5rem; }
p, dl { margin: .4rem 0; } code, pre { font-family: ui-monospace, monospace; font-size: .85rem; }
pre { overflow-x: auto; background: var(--panel); padding: .6rem; border-radius: .4rem; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; } table.streams { width: 100%; } th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.strip { display: flex; flex-wrap: wrap; gap: .6rem; margin: .4rem 0; } figure { margin: 0; } figure img { display: block; max-width: 100%; image-rendering: pixelated; border: 1px solid var(--line); }
figcaption { font-size: .8rem; color: var(--soft); } details summary { cursor: pointer; } .scroll { overflow-x: auto; }
@media (max-width: 40rem) { table.streams thead { display: none; } table.streams tr { display: block; border-bottom: 1px solid var(--line); padding: .4rem 0; }
  table.streams td { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .1rem 0; text-align: right; }
  table.streams td::before { content: attr(data-name); color: var(--soft); } table.streams td.wide { display: block; text-align: left; }
  table.streams td.wide::before { content: ""; } dl.facts { grid-template-columns: 1fr; } dl.facts dt { color: var(--soft); } }
'''
PAGE = '''<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>{title}</title><style>{style}</style></head><body>
{body}
</body></html>
'''


def escape(text):
    return html.escape(str(text))


def page(title, body):
    return PAGE.format(title=escape(title), style=STYLE, body=body)


def is_good(row):
    return row['verdict'] in judge.GOOD


def counts(rows):
    """Codec -> (streams as they should be, streams)."""
    result = {}
    for row in rows:
        good, total = result.get(row['codec'], (0, 0))
        result[row['codec']] = (good + is_good(row), total + 1)
    return result


def copy_speeds(info):
    """How fast pictures are copied out of each decoder's memory, as v4l2-request-info measured it: a line for each."""
    lines = []
    for node, decoder in info['decoders'].items():
        memory = decoder.get('picture_memory', {})
        if 'speed_of_copies' in memory:
            lines.append(f'{node} ({decoder["driver"]}): {memory["speed_of_copies"]} of the speed of ordinary memory from {memory["source"]}; '
                         f'{memory.get("speed_of_copies_from_own_buffers", "?")} from its own buffers')
    return lines


def facts(result):
    machine = result.get('machine') or {}
    rows = [('Board', ', '.join(machine.get('model') or [])), ('Compatible', ', '.join(machine.get('compatible') or [])),
            ('Kernel', machine.get('kernel')), ('Driver', result.get('driver')), ('Commit', result.get('commit')),
            ('Clients', '; '.join(filter(None, result.get('clients') or []))),
            ('Copies', '; '.join(copy_speeds(result['info'])) if 'info' in result else None)]
    cells = ''.join(f'<dt>{name}</dt><dd>{escape(value)}</dd>' for name, value in rows if value)
    return f'<dl class="facts">{cells}</dl>' if cells else ''


def rate(row, column):
    """Frames in a second of the client's whole run, and milliseconds of the processor for each."""
    frames, seconds, cpu = row['counts'].get(column), row.get('seconds', {}).get(column), row.get('cpu', {}).get(column)
    if not frames or not seconds:
        return '', ''
    return f'{frames / seconds:.0f}', f'{1000 * cpu / frames:.1f}' if cpu is not None else ''


def cell(name, text, kind='number'):
    return f'<td class="{kind}" data-name="{name}">{text}</td>'


def strip(taken):
    if not taken or not taken['pictures']:
        return ''
    again = len(taken['pictures']) > 1 and taken['same']
    figures = ''.join(f'<figure><img alt="{escape(words)}, frame {taken["frame"]}" src="{data}"><figcaption>{escape(words)}</figcaption></figure>'
                      for words, data in taken['pictures'])
    return f'<div class="strip">{figures}</div>' + ('<p>It came out right when it was decoded once more for this picture.</p>' if again else '')


def stream_rows(row, taken):
    good = is_good(row)
    libva, direct = rate(row, 'libva'), rate(row, 'kdirect')
    line = (f'<tr>{cell("codec", escape(row["codec"]), "")}{cell("stream", escape(row["file"]), "")}{cell("frames", row["frames"])}'
            f'<td class="{"good" if good else "bad"}" data-name="verdict">{escape(row["verdict"])}</td>'
            f'{cell("frames/s, libva", libva[0])}{cell("CPU ms a frame", libva[1])}{cell("frames/s, kernel-direct", direct[0])}</tr>')
    more = strip(taken) + ''.join(f'<p class="soft">{escape(note)}</p>' for note in row['notes'] if note != row['verdict'])
    if taken and taken['recording']:
        more += f'<p>Recorded: <code>v4l2-request-replay {escape(taken["recording"])}</code></p>'
    if not more:
        return line
    words = f'frame {taken["frame"]}' if taken and taken['pictures'] else 'notes'
    return line + f'<tr><td class="wide" colspan="7"><details{"" if good else " open"}><summary class="soft">{words}</summary>{more}</details></td></tr>'


def body(result, strips):
    rows = sorted(result['streams'], key=lambda row: (is_good(row), row['codec'], row['file']))
    bad = [row for row in rows if not is_good(row)]
    summary = ''.join(f'<tr><td>{escape(codec)}</td><td class="number {"good" if good == total else "bad"}">{good} of {total}</td></tr>'
                      for codec, (good, total) in sorted(counts(rows).items()))
    lines = ''.join(stream_rows(row, strips.get(f"{row['codec']}/{row['file']}")) for row in rows)
    left_out = ''.join(f'<li>{escape(reason)}: {len(names)} streams</li>' for reason, names in (result.get('left_out') or {}).items())
    return (f'<h1>{escape(result["title"])}</h1>{facts(result)}'
            f'<p class="{"bad" if bad else "good"}">{len(rows) - len(bad)} of {len(rows)} streams are as they should be.</p>'
            '<p class="soft">Each stream went through this driver (libva), through GStreamer straight on the kernel, and through software; every '
            'frame was compared. Times are those of the whole client, its start included.</p>'
            f'<h2>Codecs</h2><table><thead><tr><th>codec</th><th class="number">streams</th></tr></thead><tbody>{summary}</tbody></table>'
            + (f'<h2>Left out</h2><ul>{left_out}</ul>' if left_out else '') +
            '<h2>Streams</h2><table class="streams"><thead><tr><th>codec</th><th>stream</th><th class="number">frames</th><th>verdict</th>'
            '<th class="number">frames/s</th><th class="number">CPU ms a frame</th><th class="number">frames/s, kernel-direct</th></tr></thead>'
            f'<tbody>{lines}</tbody></table>'
            + (f'<h2>What the driver sees</h2><details><summary>v4l2-request-info</summary><pre>{escape(result["info_text"])}</pre></details>'
               if result.get('info_text') else ''))


def write(path, result, strips):
    with open(path, 'w', encoding='utf-8') as file:
        file.write(page(result['title'], body(result, strips)))


def joined(reports):
    """One table of many: reports are pairs of a name (of the page beside this one, or empty) and board-sweep's JSON."""
    codecs = sorted({row['codec'] for _, result in reports for row in result['streams']})
    lines = ''
    for link, result in sorted(reports, key=lambda each: str(each[1].get('machine'))):
        machine, found = result.get('machine') or {}, counts(result['streams'])
        name = escape((machine.get('model') or ['unknown board'])[0])
        name = f'<a href="{escape(link)}">{name}</a>' if link else name
        cells = ''.join(f'<td class="number {"good" if found[codec][0] == found[codec][1] else "bad"}">{found[codec][0]} of {found[codec][1]}</td>'
                        if codec in found else '<td class="number soft">–</td>' for codec in codecs)
        lines += f'<tr><td>{name}</td><td>{escape(machine.get("kernel", ""))}</td><td>{escape(result.get("commit") or result.get("driver", ""))}</td>{cells}</tr>'
    head = ''.join(f'<th class="number">{escape(codec)}</th>' for codec in codecs)
    return page('Boards', '<h1>Boards</h1><p class="soft">Streams that are as they should be, of those that the board was asked for. – : no decoder.</p>'
                f'<div class="scroll"><table><thead><tr><th>board</th><th>kernel</th><th>driver</th>{head}</tr></thead><tbody>{lines}</tbody></table></div>')
