"""A page of weir view, as a person uses it: what can be pointed at, and what it then says."""
import base64
import json
import math
import re
import time

import h5py
import numpy
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select


class Viewer:
    def __init__(self, driver, page, dark=False, size=(1400, 900)):
        self.driver, self.url = driver, page.as_uri()
        driver.get("about:blank")
        self.media("dark" if dark else "light")
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                               {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False})
        driver.get_log("browser"), driver.get_log("performance")
        driver.get(self.url)
        self.frames()

    def media(self, scheme):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def frames(self):
        """until what was changed is drawn, and weights that it needs have been read"""
        self.driver.execute_async_script("""
            const [done] = arguments, busy = () => document.querySelector('[aria-busy="true"]') || document.readyState !== 'complete';
            const settle = () => requestAnimationFrame(() => requestAnimationFrame(() => (busy() ? settle() : done())));
            settle();""")

    # ---- what it may not do ----

    def complaints(self):
        return self.driver.get_log("browser")

    def requests(self):
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent" and "devtools" not in message["params"].get("documentURL", "")]

    # ---- pointing ----

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def point_at(self, element, x=0, y=0):
        """the pointer onto the middle of an element, or x and y from there: of its largest part, where a line end cuts a token"""
        at = self.driver.execute_script("""
            arguments[0].scrollIntoView({block: 'nearest'});
            const parts = [...arguments[0].getClientRects()].sort((a, b) => b.width * b.height - a.width * a.height);
            return [parts[0].x + parts[0].width / 2, parts[0].y + parts[0].height / 2];""", element)
        actions = ActionBuilder(self.driver, duration=0)
        actions.pointer_action.move_to_location(round(at[0] + x), round(at[1] + y))
        return actions

    def hover(self, element, x=0, y=0):
        self.point_at(element, x, y).perform()
        self.frames()

    def away(self):
        self.hover(self.find("#model"))

    def click(self, element):
        actions = self.point_at(element)
        actions.pointer_action.click()
        actions.perform()
        self.frames()

    def solo(self, layer, head):
        """double clicks: on a busy machine two clicks can come too far apart to be one"""
        for _ in range(10):
            actions = self.point_at(self.head(layer, head))
            actions.pointer_action.double_click()
            actions.perform()
            self.frames()
            if self.locked() == [f"layer {layer}, head {head}"]:
                return
        raise AssertionError(f"a double click on layer {layer}, head {head} does not show it alone: {self.locked()}")

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()
        self.frames()

    def tab(self, name):
        self.click(self.find(f"#tab-{name}"))

    def choose(self, list_id, value):
        Select(self.find(f"#{list_id}")).select_by_value(str(value))
        self.click(self.find("#model"))             # or the list would keep the keys

    def press_with(self, held, key):
        ActionChains(self.driver).key_down(held).send_keys(key).key_up(held).perform()
        self.frames()

    # ---- heads and tokens ----

    def head(self, layer, head):
        return self.find(f'.thumb[title="layer {layer}, head {head}"]')

    def locked(self):
        return [thumb.get_attribute("title") for thumb in self.all('.thumb[aria-selected="true"]')]

    def token(self, position, view="attention"):
        return self.all(f"#{view}-tokens .token")[position]

    def shown(self):
        return self.find("#shown").text

    # ---- what it says ----

    def tip(self):
        """the tooltip's lines by name, {} without one"""
        return self.driver.execute_script("""
            const tip = document.getElementById('tip');
            if (tip.hidden) return {};
            return Object.fromEntries([...tip.querySelectorAll('dt')].map((dt) => [dt.textContent, dt.nextSibling.textContent]));""")

    def colours(self, view="attention"):
        """the background of every token, as [r, g, b], None without one"""
        styles = self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((token) => getComputedStyle(token).backgroundColor)",
            f"#{view}-tokens .token")
        return [None if style == "rgba(0, 0, 0, 0)" else list(map(int, re.findall(r"\d+", style))) for style in styles]

    def cells(self, map_id, points):
        """tooltips at places of a map, given as parts of its width and height"""
        canvas = self.find(f"#{map_id} canvas")
        size = canvas.size
        for across, down in points:
            self.hover(canvas, round((across - 0.5) * (size["width"] - 4)), round((down - 0.5) * (size["height"] - 4)))
            tip = self.tip()
            if tip:
                yield tip


class Plot:
    """The cells of a map on the screen: where they are, and what colour they have. One CSS pixel is one of the screen's."""

    def __init__(self, viewer, n_rows, n_columns, map_id="attention-map"):
        self.viewer, self.n_rows, self.n_columns, self.id = viewer, n_rows, n_columns, map_id

    def box(self):
        """x and y on the page, width, height"""
        return self.viewer.driver.execute_script("""
            const { x, y, width, height } = document.querySelector(`#${arguments[0]} .frame`).getBoundingClientRect();
            return [x + 3, y + 3, width - 6, height - 6];""", self.id)

    def pixel(self, row, column):
        """where a cell of the whole map is: x and y from the corner of the cells"""
        _, _, width, height = self.box()
        return int((column + 0.5) * width / self.n_columns), int((row + 0.5) * height / self.n_rows)

    def colours(self, x, y, width=1, height=1):
        """[height, width, rgb] of the canvas itself, marks not seen"""
        values = self.viewer.driver.execute_script("""
            const [id, x, y, width, height] = arguments, canvas = document.querySelector(`#${id} canvas`), frame = document.querySelector(`#${id} .frame`);
            const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
            copy.drawImage(canvas, -(frame.offsetLeft + 3 + x), -(frame.offsetTop + 3 + y));
            const bytes = new Uint8Array(copy.getImageData(0, 0, width, height).data.buffer);
            return bytes.toBase64();""",
            self.id, x, y, width, height)
        return numpy.frombuffer(base64.b64decode(values), "u1").reshape(height, width, 4)[:, :, :3].astype(int)

    def point(self, x, y):
        """the pointer to a pixel"""
        left, top, _, _ = self.box()
        actions = ActionBuilder(self.viewer.driver, duration=0)
        actions.pointer_action.move_to_location(math.ceil(left + x - 1e-6), math.ceil(top + y - 1e-6))
        return actions

    def hover(self, x, y):
        self.point(x, y).perform()
        self.viewer.frames()
        return self.viewer.tip()

    def wheel(self, x, y, by):
        left, top, _, _ = self.box()
        ActionChains(self.viewer.driver).scroll_from_origin(ScrollOrigin.from_viewport(math.ceil(left + x - 1e-6), math.ceil(top + y - 1e-6)), 0, by).perform()
        self.viewer.frames()

    def drag(self, start, end, shift=False):
        left, top, _, _ = self.box()
        actions = ActionBuilder(self.viewer.driver, duration=0)
        if shift:
            actions.key_action.key_down(Keys.SHIFT)
        actions.pointer_action.move_to_location(round(left + start[0]), round(top + start[1])).pointer_down()
        for part in 0.3, 0.7, 1:
            actions.pointer_action.move_to_location(*(round(corner + a + (b - a) * part) for corner, a, b in zip((left, top), start, end)))
        actions.pointer_action.pointer_up()
        if shift:
            actions.key_action.pause(), actions.key_action.pause(), actions.key_action.pause(), actions.key_action.pause()
            actions.key_action.pause(), actions.key_action.key_up(Keys.SHIFT)
        actions.perform()
        self.viewer.frames()


def index(text):
    """'12 | word12|' -> 12"""
    return int(text.split(" ", 1)[0])


def stored(path, point):
    """[layer, prompt, ...] as float32"""
    with h5py.File(path) as file:
        return numpy.asarray(file[f"activations/{point}"][...], "f4")


def digits(value, n):
    """the value rounded to n significant digits, correctly"""
    return float(f"{float(value):.{n - 1}e}")


STOPS = {
    "dark": [(10, 8, 20), (110, 30, 120), (240, 110, 50), (255, 245, 180)],
    "light": [(252, 251, 248), (246, 190, 110), (205, 66, 96), (62, 16, 92)],
    "dark signed": [(190, 228, 255), (52, 122, 216), (26, 23, 36), (238, 108, 48), (255, 240, 170)],
    "light signed": [(16, 52, 128), (96, 158, 224), (252, 251, 248), (238, 138, 84), (128, 34, 14)],
}


def colour(part, theme):
    """what a part of 0 to 1 should look like, on a scale of 256 steps"""
    stops = STOPS[theme]
    at = int(min(max(part, 0), 1) * 255 + 0.5) / 255 * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    return [int(a + (b - a) * (at - low) + 0.5) for a, b in zip(stops[low], stops[low + 1])]
