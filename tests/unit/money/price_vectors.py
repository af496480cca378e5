#!/usr/bin/env python3
"""Writes price_vectors.h: costs and bounds computed with Python's unlimited integers, straight
from the definition (not from price.c). Run: ./price_vectors.py | clang-format > price_vectors.h"""
import random

MOST = 4 * 10**18
BUCKETS = 11
INPUTS = (0, 1, 2, 3, 6, 7, 8)  # as in include/money/price.h
AUDIO = (3, 5, 7)
SERVICES = 4
PIECES = 3


def up(pico):
    return min(MOST, -(-pico // 1000))


def tier_of(tiers, tokens):
    return [tier for tier in tiers if tier[0] < tokens][-1]


def pieces_cost(piece, pieces):
    return sum(n * fee for n, fee in zip(pieces, piece))


def cost_of(price, usage):
    tiers, request, search, piece = price
    tokens, searches, _, pieces = usage
    rates = tier_of(tiers, sum(tokens[b] for b in INPUTS))[1]
    return sum(n * r for n, r in zip(tokens, rates)) + (
        request + searches * search + pieces_cost(piece, pieces))


def chosen(prices, services):
    return [price for i, price in enumerate(prices) if services >> i & 1 and price]


def cost(prices, usage):
    """prices[0] is the standard one; of the others some are None."""
    return up(max(cost_of(p, usage) for p in chosen(prices, usage[2]) or [prices[0]]))


def dearest(rates, output, audio):
    return max(rate for b, rate in enumerate(rates)
               if (b not in INPUTS) == output and (audio or b not in AUDIO))


def bound(prices, b, max_output):
    tokens_in, choices, extra, audio, free, services, searches, pieces = b
    out = min(10**15, (0 if free else choices) * max_output + extra)
    worst = 0
    for tiers, request, search, piece in chosen(prices, services | 1):
        fees = request + min(searches, 10**12) * search + pieces_cost(piece, pieces)
        for above, rates in tiers:
            if above < tokens_in or above == -1:
                worst = max(worst, fees + min(tokens_in, 10**15) * dearest(rates, False, audio)
                            + out * dearest(rates, True, audio))
    return up(worst)


def affordable(prices, b, available, most):
    """By bisection over the definition."""
    if bound(prices, b, 0) > available:
        return -1
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if bound(prices, b, middle) <= available:
            low = middle
        else:
            high = middle - 1
    return low


def rate(r):
    return r.choice([0, 1, 999, 1000, 1001, 150000, 2500000, 10**12, r.randrange(10**8)])


def size(r, top):
    return r.choice([0, 1, 2, 7, 1000, top, r.randrange(top + 1), r.randrange(10**5)])


def tiers_of(r):
    count = r.randrange(1, 5)
    starts = sorted(r.sample([0, 1, 1000, 128000, 200000, 271999, 10**6, 10**12], count - 1))
    return [(above, [rate(r) for _ in range(BUCKETS)]) for above in [-1] + starts]


def prices_of(r):
    fees = [(r.choice([0, 0, 1, 12 * 10**9, 10**15]), r.choice([0, 0, 10**10, 10**15]),
             [r.choice([0, 0, 15 * 10**6, 4 * 10**10, 10**15]) for _ in range(PIECES)])
            for _ in range(SERVICES)]
    return [(tiers_of(r), *fees[i]) if i == 0 or r.random() < 0.5 else None
            for i in range(SERVICES)]


def pieces_of(r):
    return [r.choice([0, 0, 1, 7, 10**12]) for _ in range(PIECES)]


def vector(r):
    prices = prices_of(r)
    usage = ([size(r, 10**12) for _ in range(BUCKETS)], r.choice([0, 0, 1, 10**12]),
             r.choice([0, 1, r.randrange(16)]), pieces_of(r))
    b = (r.choice([size(r, 10**7), 2**63 - 1]), size(r, 10**9), size(r, 10**7),
         r.random() < 0.5, r.random() < 0.2, r.choice([0, r.randrange(16)]),
         r.choice([0, 0, 1, 7, 10**12, 2**62]), pieces_of(r))
    max_output, most = size(r, 10**9), size(r, 10**9)
    worst = bound(prices, b, max_output)
    available = r.choice([worst, worst - 1, worst + 1, worst // 2, MOST, MOST - 1, 0, -1])
    return (prices, usage, b, max_output, cost(prices, usage), worst, bound_tokens(b, max_output),
            available, most, affordable(prices, b, available, most))


def bound_tokens(b, max_output):
    return min(10**15, b[0] + (0 if b[4] else b[1]) * max_output + b[2])


def c(number):
    return f"{number}"


def price_text(price):
    if price is None:
        return "{.tier_count = 0}"
    tiers, request, search, piece = price
    text = ", ".join("{%d, {{%s}}}" % (a, ", ".join(map(c, rates))) for a, rates in tiers)
    return ("{.tier_count = %d, .tiers = {%s}, .request_pico = %d, .search_pico = %d, "
            ".piece_pico = {%s}}") % (len(tiers), text, request, search, ", ".join(map(c, piece)))


def row(v):
    prices, usage, b, max_output, costs, worst, tokens, available, most, can = v
    numbers = ", ".join(map(c, [max_output, costs, worst, tokens, available, most, can]))
    return "    {{%s},\n     {{%s}, %d, %d, {%s}},\n     {%s, %s, %d, %d, {%s}},\n     %s}," % (
        ", ".join(map(price_text, prices)), ", ".join(map(c, usage[0])), usage[1], usage[2],
        ", ".join(map(c, usage[3])), ", ".join(map(c, b[:3])),
        ", ".join(str(flag).lower() for flag in b[3:5]), b[5], b[6], ", ".join(map(c, b[7])),
        numbers)


def main():
    r = random.Random(20261121)
    print("/* Made by price_vectors.py: what Python's unlimited integers say. */")
    print("static const struct vector VECTORS[] = {")
    for _ in range(40):
        print(row(vector(r)))
    print("};")


main()
