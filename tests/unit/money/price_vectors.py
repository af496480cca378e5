#!/usr/bin/env python3
"""Writes price_vectors.h: costs and bounds computed with Python's unlimited integers, straight
from the definition (not from price.c). Run: ./price_vectors.py | clang-format > price_vectors.h"""
import random

MOST = 4 * 10**18
BUCKETS = 6
INPUTS = (0, 1, 2, 3)


def up(pico):
    return min(MOST, -(-pico // 1000))


def tier_of(tiers, tokens):
    return [tier for tier in tiers if tier[0] < tokens][-1]


def cost(tiers, usage):
    rates = tier_of(tiers, sum(usage[b] for b in INPUTS))[1]
    return up(sum(n * r for n, r in zip(usage, rates)))


def bound(tiers, b, max_output):
    tokens_in, choices, extra, audio, free = b
    out = min(10**15, (0 if free else choices) * max_output + extra)
    worst = 0
    for above, rates in tiers:
        if above < tokens_in or above == -1:
            dear_in = max(rates[0], rates[1], rates[2], rates[3] if audio else 0)
            dear_out = max(rates[4], rates[5] if audio else 0)
            worst = max(worst, min(tokens_in, 10**15) * dear_in + out * dear_out)
    return up(worst)


def affordable(tiers, b, available, most):
    """By bisection over the definition."""
    if bound(tiers, b, 0) > available:
        return -1
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if bound(tiers, b, middle) <= available:
            low = middle
        else:
            high = middle - 1
    return low


def rate(r):
    return r.choice([0, 1, 999, 1000, 1001, 150000, 2500000, 10**12, r.randrange(10**8)])


def size(r, top):
    return r.choice([0, 1, 2, 7, 1000, top, r.randrange(top + 1), r.randrange(10**5)])


def vector(r):
    count = r.randrange(1, 5)
    starts = sorted(r.sample([0, 1, 1000, 128000, 200000, 271999, 10**6, 10**12], count - 1))
    tiers = [(above, [rate(r) for _ in range(BUCKETS)]) for above in [-1] + starts]
    usage = [size(r, 10**12) for _ in range(BUCKETS)]
    b = (r.choice([size(r, 10**7), 2**63 - 1]), size(r, 10**9), size(r, 10**7),
         r.random() < 0.5, r.random() < 0.2)
    max_output, most = size(r, 10**9), size(r, 10**9)
    worst = bound(tiers, b, max_output)
    available = r.choice([worst, worst - 1, worst + 1, worst // 2, MOST, MOST - 1, 0, -1])
    return (tiers, usage, b, max_output, cost(tiers, usage), worst, bound_tokens(b, max_output),
            available, most, affordable(tiers, b, available, most))


def bound_tokens(b, max_output):
    return min(10**15, b[0] + (0 if b[4] else b[1]) * max_output + b[2])


def c(number):
    return f"{number}"


def row(v):
    tiers, usage, b, max_output, costs, worst, tokens, available, most, can = v
    text = ", ".join("{%d, {{%s}}}" % (a, ", ".join(map(c, rates))) for a, rates in tiers)
    numbers = ", ".join(map(c, [max_output, costs, worst, tokens, available, most, can]))
    return "    {{%d, {%s}},\n     {{%s}},\n     {%s, %s},\n     %s}," % (
        len(tiers), text, ", ".join(map(c, usage)), ", ".join(map(c, b[:3])),
        ", ".join(str(flag).lower() for flag in b[3:]), numbers)


def main():
    r = random.Random(20261121)
    print("/* Made by price_vectors.py: what Python's unlimited integers say. */")
    print("static const struct vector VECTORS[] = {")
    for _ in range(60):
        print(row(vector(r)))
    print("};")


main()
