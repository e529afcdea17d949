#!/usr/bin/env python3
"""Draws the data pages of the tests: two lines in OCR-B (Debian fonts-ocr-b) on plain paper. Usage: generate.py OCRB.otf

The holder is the one of the licence in ml/barcode: D12345678, SAMPLE, JANE MARIE, born 1990-01-31, valid to 2031-12-31.
"""

import sys

from PIL import Image, ImageDraw, ImageFont

VALUES = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def digit(text):
    return str(sum(VALUES.get(c, 0) * (7, 3, 1)[i % 3] for i, c in enumerate(text)) % 10)


def lines(number, birth, expiry, broken=False):
    first = "P<UTOSAMPLE<<JANE<MARIE".ljust(44, "<")
    number, birth, expiry, rest = [f + digit(f) for f in (number, birth, expiry, "<" * 14)]
    composite = digit(number + birth + expiry + rest)
    if broken:
        composite = str((int(composite) + 3) % 10)
    return [first, number + "UTO" + birth + "F" + expiry + rest + composite]


def draw(name, text):
    pitch, page = 20, Image.new("L", (960, 560), 236)
    pen, font = ImageDraw.Draw(page), ImageFont.truetype(sys.argv[1], 33)
    for row, line in enumerate(text):
        for column, symbol in enumerate(line):
            pen.text((40 + column * pitch, 430 + row * 52), symbol, 25, font)
    page.quantize(16).save(f"{name}.png", optimize=True)


draw("genuine", lines("D12345678", "900131", "311231"))
draw("broken", lines("D12345678", "900131", "311231", broken=True))
draw("expired", lines("D12345678", "900131", "251120"))
draw("another", lines("D12345679", "910131", "311231"))
