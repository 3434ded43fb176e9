#!/usr/bin/env python3
"""viewer.py PAGE.html: how quick a page of weir view is in Chromium, headless and without a GPU; viewer.py --long N FOLDER: one of N
tokens with every weight, made in that folder, and the figures as JSON: for script/bench.

First view: from opening the file until the first map is drawn, and until the opening head's weights are in it. Hover, zoom: from the event
until the next frame is done, and what of that is processor time of the page's own thread, which a busy machine does not change.
"""
import json
import os
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "browser"))
from pages import chromium, long_file, weir  # noqa: E402

OPENINGS, EVENTS = 5, 30
WATCH = """
  const look = () => {
    const map = document.querySelector('#attention-map');
    if (map && map.hasAttribute('aria-busy') && !window.drawn) window.drawn = performance.now();
    if (map && map.getAttribute('aria-busy') === 'false') requestAnimationFrame(() => { window.read = performance.now(); });
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);"""
DO = """
  const [kind, n] = arguments, done = arguments[arguments.length - 1], canvas = document.querySelector('#attention-map canvas');
  const text = document.querySelector('#attention-tokens').getBoundingClientRect(), map = canvas.getBoundingClientRect();
  const seen = [...document.querySelectorAll('#attention-tokens .token')].filter((token) => {
    const { top, bottom } = token.getBoundingClientRect();
    return top >= text.top && bottom <= text.bottom;
  });
  const events = {
    rest: () => {},
    map: (i) => canvas.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, clientX: map.left + 120 + 3 * i, clientY: map.top + 100 + 8 * i })),
    text: (i) => {
      const token = seen[3 * i % seen.length], { left, top } = token.getBoundingClientRect();
      token.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, clientX: left + 1, clientY: top + 1 }));
    },
    zoom: () => canvas.dispatchEvent(new WheelEvent('wheel', { bubbles: true, cancelable: true, clientX: map.left + 200, clientY: map.top + 200, deltaY: -30 })),
  };
  (async () => {
    const took = [];
    for (let i = 0; i < n; i++) {
      const start = performance.now();
      events[kind](i);
      await new Promise((next) => requestAnimationFrame(() => { const { port1, port2 } = new MessageChannel(); port1.onmessage = next; port2.postMessage(0); }));
      took.push(performance.now() - start);
    }
    done(took);
  })();"""


def renderers(root):
    """the processes of pages below a process"""
    below, parents = [str(root)], {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.setdefault(stat.read_text().rsplit(")", 1)[1].split()[1], []).append(stat.parent.name)
        except OSError:
            continue                                        # ended meanwhile
    for one in below:
        below += parents.get(one, [])
    return [one for one in below if "--type=renderer" in Path("/proc", one, "cmdline").read_text()]


def processor(driver):
    """milliseconds that the main threads of pages have worked, in steps of 10: a busy machine adds little to that"""
    ticks = 0
    for one in renderers(driver.service.process.pid):
        ticks += sum(map(int, Path("/proc", one, "task", one, "stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    return 1000 * ticks / os.sysconf("SC_CLK_TCK")


def measured(page):
    """milliseconds: {"drawn", "read"}, then per kind of event {kind: until the next frame is done, "kind, processor": of that}"""
    driver, url, openings = chromium(), Path(page).resolve().as_uri(), []
    driver.set_script_timeout(300)
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    for _ in range(OPENINGS):
        driver.get("about:blank")
        driver.get(url)
        while not driver.execute_script("return window.read && document.readyState === 'complete'"):
            time.sleep(0.1)
        openings.append(driver.execute_script("return [window.drawn, window.read]"))
    found = dict(zip(("drawn", "read"), (median(one) for one in zip(*openings))))
    time.sleep(1)
    for kind in "rest", "map", "text", "zoom":
        before = processor(driver)
        found[kind] = median(driver.execute_async_script(DO, kind, EVENTS))
        found[f"{kind}, processor"] = (processor(driver) - before) / EVENTS
    driver.quit()
    return found


def long_page(n, folder):
    path = long_file(Path(folder), n)
    page = path.with_suffix(".html")
    done = weir("view", path, "-o", page, "--force")
    assert done.returncode == 0, done.stderr
    path.unlink()
    return page


def main(*args):
    if args[0] == "--long":
        print(json.dumps(measured(long_page(int(args[1]), args[2]))))
        return
    found = measured(args[0])
    print(f"first view {found['drawn']:.0f} ms, with the weights of its head {found['read']:.0f} ms")
    for kind in "rest", "map", "text", "zoom":
        print(f"{kind}: {found[kind]:.0f} ms, {found[f'{kind}, processor']:.1f} ms of processor time")


if __name__ == "__main__":
    main(*sys.argv[1:])
