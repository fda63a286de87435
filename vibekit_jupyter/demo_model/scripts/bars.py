"""A program that draws bars, for sandboxes that have little: it is given to them as text."""

from __future__ import annotations

__all__ = ["PROGRAM"]

PROGRAM = '''"""Draw bars as a PNG: where Pillow is, with names and numbers."""

import struct
import zlib

WIDTH, GAP, HEIGHT, TOP, BELOW = 64, 16, 240, 48, 32
WHITE, BLUE = (255, 255, 255), (42, 111, 187)


def draw_bars(labels, values, path, title=""):
    values = [float(value) if value == value else 0.0 for value in values]
    low, high = min([0, *values]), max([0, *values])
    scale = HEIGHT / ((high - low) or 1)
    zero = TOP + high * scale
    boxes = []
    for at, value in enumerate(values):
        left = GAP + at * (WIDTH + GAP)
        top, bottom = sorted((zero - value * scale, zero))
        boxes.append((left, int(top), left + WIDTH, int(bottom)))
    size = (max(GAP + len(values) * (WIDTH + GAP), 240), TOP + HEIGHT + BELOW)
    try:
        from PIL import Image, ImageDraw, ImageFont

        small, large = font(ImageFont, 12), font(ImageFont, 15)
    except (ImportError, TypeError):
        draw_plain(boxes, size, path)
        return
    picture = Image.new("RGB", size, WHITE)
    pen = ImageDraw.Draw(picture)
    pen.text((GAP, 8), title, "black", font=large)
    for label, value, box in zip(labels, values, boxes):
        pen.rectangle(box, BLUE)
        pen.text((box[0], box[1] - 16), f"{value:,.6g}", "black", font=small)
        pen.text((box[0], size[1] - BELOW + 8), str(label)[:10], "black", font=small)
    picture.save(path)


def font(fonts, size):
    try:
        return fonts.truetype("DejaVuSans.ttf", size)
    except OSError:
        return fonts.load_default(size)


def draw_plain(boxes, size, path):
    rows = []
    for y in range(size[1]):
        row = bytearray(bytes(WHITE) * size[0])
        for left, top, right, bottom in boxes:
            if top <= y <= bottom:
                row[3 * left : 3 * right] = bytes(BLUE) * (right - left)
        rows.append(b"\\0" + row)

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head))
        file.write(chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b""))
'''
