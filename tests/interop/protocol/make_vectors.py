#!/usr/bin/python3
"""Writes core/tests/vectors/, or with --check compares it with what is there.

The secrets are counted up and the names made up: nothing of it is ever used.
"""

import json
import sys
from pathlib import Path

import stiefel

FOLDER = Path(__file__).resolve().parents[3] / "core/tests/vectors"


def counted(first, length=32):
    return bytes((first + at) % 256 for at in range(length))


SECRET = counted(0)
BORROWER_NONCE, LENDER_NONCE = counted(32), counted(64)


def discovery():
    standings = [
        ("asleep", 0, ""),
        ("announced", 0x1234, ""),
        ("leaving", 0, ""),
        ("declined", 0, ""),
        ("offering", 0, ""),
        ("lent", 0, "Büro " + "x" * 42),
    ]
    nonces = {"borrower_nonce": BORROWER_NONCE, "lender_nonce": LENDER_NONCE}
    return {
        "secret": SECRET,
        "seeks": [
            {"version": version, "nonce": BORROWER_NONCE, "datagram": stiefel.seek(SECRET, BORROWER_NONCE, version)}
            for version in (1, 2)
        ],
        "mismatches": [
            {"version": version, "nonce": BORROWER_NONCE, "datagram": stiefel.mismatch(SECRET, BORROWER_NONCE, version)}
            for version in (1, 2)
        ],
        "offers": [
            {
                **nonces,
                "lender": "laptop",
                "standing": standing,
                "seconds": seconds,
                "lent_to": lent_to,
                "datagram": stiefel.offer(
                    SECRET, BORROWER_NONCE, LENDER_NONCE, "laptop", standing, seconds, lent_to
                ),
            }
            for standing, seconds, lent_to in standings
        ],
        "wake": {**nonces, "datagram": stiefel.wake(SECRET, BORROWER_NONCE, LENDER_NONCE)},
    }


def bundle():
    borrower, lender, tunnel = counted(96), counted(128), counted(160)
    signed = stiefel.request_signed(
        BORROWER_NONCE, LENDER_NONCE, stiefel.public_key(borrower), stiefel.public_key(tunnel)
    )
    lender_public = stiefel.public_key(lender)
    shared = stiefel.exchange(borrower, lender_public)
    assert shared == stiefel.exchange(lender, stiefel.public_key(borrower))
    key, prefix, preshared = stiefel.agree(SECRET, shared, signed, lender_public)
    return {
        "secret": SECRET,
        "borrower_nonce": BORROWER_NONCE,
        "lender_nonce": LENDER_NONCE,
        "borrower_private_key": borrower,
        "lender_private_key": lender,
        "tunnel_private_key": tunnel,
        "request": stiefel.request(SECRET, signed),
        "preamble": stiefel.preamble(lender_public),
        "preshared_key": preshared,
        "seal_key": key,
        "seal_nonce_prefix": prefix,
        # The content of a stream is the byte numbers modulo 251.
        "streams": [
            {
                "length": length,
                "sealed_length": len(sealed),
                "sealed_sha256": stiefel.sha256(sealed),
                "first": sealed[:32],
                "last": sealed[-32:],
            }
            for length in (0, 1, 100, stiefel.CHUNK_LEN, stiefel.CHUNK_LEN + 1, 3 * stiefel.CHUNK_LEN)
            for sealed in [
                stiefel.seal_stream(key, prefix, bytes(at % 251 for at in range(length)))
            ]
        ],
    }


def main():
    wrong = []
    for name, made in (("discovery", discovery()), ("bundle", bundle())):
        text = json.dumps(made, default=bytes.hex, ensure_ascii=False, indent=2) + "\n"
        path = FOLDER / f"{name}.json"
        if "--check" not in sys.argv:
            path.write_text(text)
        elif path.read_text() != text:
            wrong.append(name)
    for name in wrong:
        print(f"make_vectors: {name}.json is not what this program makes", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
