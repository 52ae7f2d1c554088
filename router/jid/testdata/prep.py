"""Writes prep.txt: what the three stringprep profiles of RFC 3920 make of each
code point by itself. It uses nothing but Python's own tables (stringprep, and
unicodedata.ucd_3_2_0 for the normalisation), so it checks package jid from
outside. Run it as: python3 prep.py > prep.txt

A line is a range of code points and what nodeprep, nameprep and resourceprep
do: "=" keep, "-" remove, "!" refuse, else the code points that result.
"""
import sys
from stringprep import *
from unicodedata import ucd_3_2_0

NFKC = lambda s: ucd_3_2_0.normalize("NFKC", s)


def always(c):
    return (in_table_a1(c) or in_table_c12(c) or in_table_c22(c) or in_table_c3(c)
            or in_table_c4(c) or in_table_c5(c) or in_table_c6(c) or in_table_c7(c)
            or in_table_c8(c) or in_table_c9(c))


PROFILES = (
    (True, lambda c: always(c) or in_table_c11(c) or in_table_c21(c) or c in "\"&'/:<>@"),
    (True, always),
    (False, lambda c: always(c) or in_table_c21(c)),
)


def fold_b2(c):
    """map_table_b2, which lower-cases by the newest Unicode: what Unicode 3.2
    does not have is no lower case of anything."""
    s = map_table_b2(c)
    return c if any(in_table_a1(x) for x in s) else s


def prepare(c, fold, prohibited):
    if in_table_a1(c):
        return "!"
    if in_table_b1(c):
        return "-"
    s = NFKC(fold_b2(c) if fold else c)
    if any(prohibited(x) for x in s):
        return "!"
    right = [in_table_d1(x) for x in s]
    if any(right) and (any(in_table_d2(x) for x in s) or not right[0] or not right[-1]):
        return "!"
    if s == c:
        return "="
    return ",".join("%04X" % ord(x) for x in s)


def main():
    first, last, before = None, None, None
    for cp in range(sys.maxunicode + 1):
        if 0xD800 <= cp <= 0xDFFF:
            continue
        now = " ".join(prepare(chr(cp), *p) for p in PROFILES)
        if now != before:
            if before is not None:
                print("%04X..%04X %s" % (first, last, before))
            first, before = cp, now
        last = cp
    print("%04X..%04X %s" % (first, last, before))


main()
