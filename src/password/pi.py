#!/usr/bin/env python3
"""Prints lanes_pi.h: the digits of pi that Blowfish starts from (B. Schneier, FSE 1993).

Blowfish's P (18 words) and S (4 boxes of 256 words) begin as the fraction of pi, 32 bits a word, the most significant
bits first. They are computed here with Machin's formula, pi = 16 atan(1/5) - 4 atan(1/239), so that nobody has to
compare 1042 constants with a printed table: the two ends are checked, and the published hashes check the rest.

meson runs it; by hand: src/password/pi.py > lanes_pi.h
"""

P_WORDS = 18
S_WORDS = 4 * 256
GUARD_BITS = 64  # rounding errors of the sums stay below these
PER_LINE = 6


def arctan_of_inverse(x, bits):
    """floor-ish of atan(1/x) * 2^bits, by its Taylor series."""
    power = (1 << bits) // x
    total = 0
    n = 1
    while power:
        total += power // n if n % 4 == 1 else -(power // n)
        power //= x * x
        n += 2
    return total


def words_of_pi(count):
    bits = 32 * count + GUARD_BITS
    pi = 16 * arctan_of_inverse(5, bits) - 4 * arctan_of_inverse(239, bits)
    fraction = (pi - (3 << bits)) >> GUARD_BITS
    return [fraction >> 32 * (count - 1 - i) & 0xFFFFFFFF for i in range(count)]


def table(name, words):
    lines = [f"static const uint32_t {name}[{len(words)}] = {{"]
    for i in range(0, len(words), PER_LINE):
        lines.append("    " + " ".join(f"0x{word:08x}," for word in words[i : i + PER_LINE]))
    return "\n".join(lines + ["};"])


def main():
    words = words_of_pi(P_WORDS + S_WORDS)
    assert words[0] == 0x243F6A88 and words[-1] == 0x3AC372E6, "this is not pi"
    print("/* lanes_pi.h - Blowfish's initial P and S: the fraction of pi. Made by pi.py. */")
    print("#include <stdint.h>\n")
    print(table("pi_p", words[:P_WORDS]))
    print(table("pi_s", words[P_WORDS:]))


if __name__ == "__main__":
    main()
