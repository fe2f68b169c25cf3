#!/usr/bin/python3
"""A borrower in Python talks with the lender in core/examples/peer.rs.

    talk.py PEER        the built example
"""

import os
import subprocess
import sys
import tempfile

import stiefel


class Lender:
    """The other end, one line for each message."""

    def __init__(self, program, secret, content):
        self.content = tempfile.NamedTemporaryFile()
        self.content.write(content)
        self.content.flush()
        self.process = subprocess.Popen(
            [program, secret.hex(), os.urandom(32).hex(), self.content.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, word, message):
        self.process.stdin.write(f"{word} {message.hex()}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        assert answer, f"the lender ended at {word}"
        return answer[0], bytes.fromhex(answer[1] if len(answer) > 1 else "")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.content.close()
        assert self.process.wait() == 0, "the lender failed"


def search(lender, secret):
    nonce = os.urandom(32)
    word, datagram = lender.tell("seek", stiefel.seek(secret, nonce))
    assert word == "offer", word
    return nonce, stiefel.open_offer(secret, nonce, datagram)


def fetch(lender, secret, nonce, offer):
    private = os.urandom(32)
    signed = stiefel.request_signed(
        nonce, offer["lender_nonce"], stiefel.public_key(private), stiefel.public_key(os.urandom(32))
    )
    word, answer = lender.tell("request", stiefel.request(secret, signed))
    assert word == "bundle", word
    lender_key = stiefel.open_preamble(answer[:40])
    shared = stiefel.exchange(private, lender_key)
    key, prefix, _ = stiefel.agree(secret, shared, signed, lender_key)
    return key, prefix, answer[40:]


def whole_exchange(program, length):
    secret, content = os.urandom(32), os.urandom(length)
    with Lender(program, secret, content) as lender:
        nonce, offer = search(lender, secret)
        assert (offer["lender"], offer["standing"]) == ("laptop", "asleep"), offer
        wake = stiefel.wake(secret, nonce, offer["lender_nonce"])
        assert lender.tell("wake", wake)[0] == "woken"
        assert lender.tell("wake", wake)[0] == "nothing"
        nonce, offer = search(lender, secret)
        key, prefix, sealed = fetch(lender, secret, nonce, offer)
    assert stiefel.open_stream(key, prefix, sealed) == content
    if sealed[:-1]:
        altered = bytearray(sealed)
        altered[len(sealed) // 2] ^= 0x10
        for wrong in (bytes(altered), sealed[:-1]):
            try:
                stiefel.open_stream(key, prefix, wrong)
            except ValueError:
                continue
            raise AssertionError("an altered stream was opened")


def strangers(program):
    secret, nonce = os.urandom(32), os.urandom(32)
    with Lender(program, secret, b"") as lender:
        assert lender.tell("seek", stiefel.seek(os.urandom(32), nonce))[0] == "nothing"
        word, answer = lender.tell("seek", stiefel.seek(secret, nonce, version=2))
        assert (word, answer) == ("mismatch", stiefel.mismatch(secret, nonce, 1))


def main():
    (program,) = sys.argv[1:]
    for length in (0, 1, stiefel.CHUNK_LEN, 5 * stiefel.CHUNK_LEN + 1000):
        whole_exchange(program, length)
    strangers(program)
    print("talk: a borrower in Python and a lender in Rust understand each other")


if __name__ == "__main__":
    main()
