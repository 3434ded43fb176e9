"""What weir drew: the pixels of a PNG, the boxes of an SVG."""
import xml.etree.ElementTree as ElementTree

import numpy as np
from PIL import Image

SVG = "{http://www.w3.org/2000/svg}"


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def texts_of(svg):
    return list(ElementTree.parse(svg).getroot().iter(f"{SVG}text"))


def drawn_boxes(svg):
    """(x, y, width, height) in points of all that is drawn and no text, without the page"""
    root = ElementTree.parse(svg).getroot()
    shapes = [node for node in root.iter() if node.tag in (f"{SVG}rect", f"{SVG}image")][1:]
    return [[float(node.get(name)) for name in ("x", "y", "width", "height")] for node in shapes]


def drawn_mask(svg, shape):
    """the pixels of a PNG that no font decides: cells, bars and frames"""
    mask = np.zeros(shape, bool)
    for x, y, width, height in drawn_boxes(svg):
        mask[round(2 * y):round(2 * (y + height)), round(2 * x):round(2 * (x + width))] = True
    return mask
