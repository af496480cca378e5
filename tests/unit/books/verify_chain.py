#!/usr/bin/env python3
"""Verify the chain of hashes through a ledger: verify_chain.py FILE... (in order) or DIRECTORY.

hash = SHA-256(the previous line's hash in hex + the line up to and including `,"seq":N`).
The first line of a file says in `chained_to` which hash it continues.
Prints the number of lines and the exact sum of cost_usd; exits 1 at the first broken line.
"""
import hashlib
import json
import os
import sys
from decimal import Decimal


def files_of(arguments):
    if len(arguments) != 1 or not os.path.isdir(arguments[0]):
        return arguments
    names = [n for n in os.listdir(arguments[0]) if n.endswith(".jsonl")]
    names.sort(key=lambda n: (n[:10], int(n.split(".")[-2])))
    return [os.path.join(arguments[0], n) for n in names]


def main(arguments):
    before, seq, total = None, None, Decimal(0)
    for path in files_of(arguments):
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                said = json.loads(line, parse_float=Decimal)
                if before is None:
                    before, seq = said["chained_to"], said["seq"] - 1
                sealed = line[: line.rindex(b',"hash":"')]
                digest = hashlib.sha256(before.encode() + sealed).hexdigest()
                if digest != said["hash"] or said["seq"] != seq + 1 or not line.endswith(b"\n"):
                    sys.exit(f"{path}:{number}: the chain is broken")
                if said.get("chained_to", before) != before:
                    sys.exit(f"{path}:{number}: it continues another ledger")
                before, seq = digest, said["seq"]
                total += Decimal(said["cost_usd"])
    print(f"{seq or 0} lines, {total:f} USD")


main(sys.argv[1:])
