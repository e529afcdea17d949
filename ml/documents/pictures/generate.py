#!/usr/bin/env python3
"""Draws the pictures of the tests: zones in OCR-B (Debian fonts-ocr-b) on plain paper, and the licence of ml/barcode as a
camera might see it. Usage: generate.py OCRB.otf, with Pillow 11.3.0

The holder is the licence's: D12345678, SAMPLE, JANE MARIE, born 1990-01-31, valid to 2031-12-31.
"""

import sys

from PIL import Image, ImageDraw, ImageFont, ImageOps

VALUES = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
HOLDER = ("D12345678", "900131", "311231")
NAME = "SAMPLE<<JANE<MARIE"
LICENCE = "../../barcode/src/tests/pictures/licence.png"


def digit(text):
    return str(sum(VALUES.get(c, 0) * (7, 3, 1)[i % 3] for i, c in enumerate(text)) % 10)


def checked(*fields):
    return [field + digit(field) for field in fields]


def passport(*fields, broken=False):
    first = ("P<UTO" + NAME).ljust(44, "<")
    number, birth, expiry, rest = checked(*fields, "<" * 14)
    composite = digit(number + birth + expiry + rest)
    if broken:
        composite = str((int(composite) + 3) % 10)
    return [first, number + "UTO" + birth + "F" + expiry + rest + composite]


def td1(*fields):
    number, birth, expiry = checked(*fields)
    optional, more = "<" * 15, "<" * 11
    composite = digit(number + optional + birth + expiry + more)
    return ["I<UTO" + number + optional, birth + "F" + expiry + "UTO" + more + composite, NAME.ljust(30, "<")]


def td2(*fields):
    number, birth, expiry = checked(*fields)
    optional = "<" * 7
    composite = digit(number + birth + expiry + optional)
    return [("I<UTO" + NAME).ljust(36, "<"), number + "UTO" + birth + "F" + expiry + optional + composite]


def misread(text, right, wrong):
    assert any(right in line for line in text)
    return [line.replace(right, wrong) for line in text]


def drawn(*texts):
    """A page with its zone, and others printed over it."""
    text = texts[0]
    pitch, page = 20, Image.new("L", (80 + 20 * len(text[0]), 560), 236)
    pen, font = ImageDraw.Draw(page), ImageFont.truetype(sys.argv[1], 33)
    for row, line in (line for text in texts for line in enumerate(text)):
        for column, symbol in enumerate(line):
            pen.text((40 + column * pitch, 534 - 52 * len(text) + row * 52), symbol, 25, font)
    return page


def aslant(page):
    """Turned by some degrees, with its lower edge nearer than its upper one, and paper around it."""
    page = ImageOps.expand(page, page.width // 10, 236)
    width, height = page.size
    turn, nearer = 0.07, 0.12 / height
    middle = 1 + nearer * height / 2
    right = width / 2 * (middle - 1) + turn * height / 2
    down = height / 2 * (middle - 1) - turn * width / 2
    seen = (1, -turn, right, turn, 1, down, 0, nearer)
    return page.transform(page.size, Image.Transform.PERSPECTIVE, seen, Image.Resampling.BICUBIC, fillcolor=236)


def save(name, page):
    page.quantize(16).save(f"{name}.png", optimize=True)


save("genuine", drawn(passport(*HOLDER)))
save("broken", drawn(passport(*HOLDER, broken=True)))
save("expired", drawn(passport("D12345678", "900131", "251120")))
save("another", drawn(passport("D12345679", "910131", "311231")))
# Letters stand in place of a date's zeros; a letter is printed over a number's digit, which only check digits tell.
save("td1", aslant(drawn(misread(td1(*HOLDER), "900131", "9OO131"))))
text = td2(*HOLDER)
save("td2", drawn(text, misread(text, "D1234", "DI234")).transpose(Image.Transpose.ROTATE_90))
code = Image.open(LICENCE).convert("L")
pen = ImageDraw.Draw(code)
for at in (0.3, 0.55):
    x, y = int(at * code.width), code.height // 2
    pen.ellipse((x, y, x + 16, y + 12), 60)
save("damaged", aslant(code))
