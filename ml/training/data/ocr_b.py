#!/usr/bin/env python3
"""Writes ocr-b.txt: the outlines of the 37 glyphs of a machine-readable zone, from a font file.

    apt-get download fonts-ocr-b && dpkg -x fonts-ocr-b_*.deb font     # 0.3~dfsg1-1
    pip install fonttools
    python3 ocr_b.py font/usr/share/fonts/opentype/ocr-b/OCRB.otf > ocr-b.txt
"""
import sys
from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont

font = TTFont(sys.argv[1])
glyphs, names = font.getGlyphSet(), font.getBestCmap()


class Lines(BasePen):
    def _moveTo(self, p): self.row("M", p)
    def _lineTo(self, p): self.row("L", p)
    def _curveToOne(self, a, b, c): self.row("C", a, b, c)
    def _closePath(self): pass
    def row(self, what, *points): print(what, *(round(v) for p in points for v in p))


print("# Outlines of OCR-B in font units, upwards. Source: Debian package fonts-ocr-b 0.3~dfsg1-1, OCRB.otf;")
print("# Norbert Schwarz 1995, 2010 (\"You may freely use, modify and/or distribute this file, without limitation\"),")
print("# Matthew Skala 2012 (public domain). Made by ocr_b.py. G glyph advance; M move, L line, C cubic.")
for character in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<":
    glyph = glyphs[names[ord(character)]]
    print("G", character, round(glyph.width))
    glyph.draw(Lines(glyphs))
