"""The protocol once more, written from docs/protocol.md and not from the Rust code.

AES-EAX is pycryptodome's, X25519 is cryptography's, HMAC and SHA-256 are
Python's own, HKDF is the few lines of RFC 5869.
"""

import hashlib
import hmac
import json
import struct

from Cryptodome.Cipher import AES
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VERSION = 1
SEEK, OFFER, WAKE, MISMATCH = 1, 2, 3, 4
DATAGRAM_LEN = 192
NAME_LEN = 48
CHUNK_LEN = 64 << 10
TAG_LEN = 16
STANDINGS = ("asleep", "announced", "leaving", "declined", "offering", "lent")


class Refused(Exception):
    """What arrived is not what a paired machine would have sent."""


def need(fine, what):
    if not fine:
        raise Refused(what)


# Keys


def hkdf(material, info, length):
    """RFC 5869 with SHA-256 and no salt."""
    pseudorandom = hmac.digest(bytes(32), material, "sha256")
    output, block = b"", b""
    while len(output) < length:
        block = hmac.digest(pseudorandom, block + info + bytes([len(output) // 32 + 1]), "sha256")
        output += block
    return output[:length]


def derive(material, purpose, length, *context):
    label = b"stiefelsystem 1 " + purpose.encode() + b"\0"
    return hkdf(material, label + b"".join(context), length)


def mac(secret, purpose, message):
    return hmac.digest(derive(secret, purpose, 32), message, "sha256")


def public_key(private):
    key = X25519PrivateKey.from_private_bytes(private).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def exchange(private, public):
    return X25519PrivateKey.from_private_bytes(private).exchange(
        X25519PublicKey.from_public_bytes(public)
    )


# The search


def head(magic, kind, version=VERSION):
    return magic + bytes([version, kind, 0, 0])


def seek(secret, nonce, version=VERSION):
    signed = head(b"STFL", SEEK, version) + nonce
    return (signed + mac(secret, "search", signed)).ljust(DATAGRAM_LEN, b"\0")


def mismatch(secret, nonce, version):
    signed = head(b"STFL", MISMATCH, version) + nonce
    return (signed + mac(secret, "mismatch", signed)).ljust(DATAGRAM_LEN, b"\0")


def offer_cipher(secret, borrower_nonce, lender_nonce):
    key = derive(secret, "offer", 16, borrower_nonce, lender_nonce)
    return AES.new(key, AES.MODE_EAX, nonce=bytes(16), mac_len=TAG_LEN)


def offer(secret, borrower_nonce, lender_nonce, lender, standing, seconds=0, lent_to=""):
    clear = head(b"STFL", OFFER) + borrower_nonce + lender_nonce
    name, other = lender.encode(), lent_to.encode()
    plain = struct.pack(
        ">BxHBBxx48s48s",
        STANDINGS.index(standing) + 1,
        seconds,
        len(name),
        len(other),
        name,
        other,
    )
    cipher = offer_cipher(secret, borrower_nonce, lender_nonce)
    cipher.update(clear)
    sealed, tag = cipher.encrypt_and_digest(plain)
    return clear + sealed + tag


def open_offer(secret, borrower_nonce, datagram):
    need(len(datagram) == DATAGRAM_LEN, "an Offer has 192 bytes")
    clear, sealed, tag = datagram[:72], datagram[72:-TAG_LEN], datagram[-TAG_LEN:]
    need(clear[:40] == head(b"STFL", OFFER) + borrower_nonce, "no Offer to this Seek")
    cipher = offer_cipher(secret, borrower_nonce, clear[40:])
    cipher.update(clear)
    plain = cipher.decrypt_and_verify(sealed, tag)
    code, seconds, name_len, other_len, name, other = struct.unpack(">BxHBBxx48s48s", plain)
    return {
        "lender_nonce": clear[40:],
        "lender": name[:name_len].decode(),
        "standing": STANDINGS[code - 1],
        "seconds": seconds,
        "lent_to": other[:other_len].decode(),
    }


def wake(secret, borrower_nonce, lender_nonce):
    signed = head(b"STFL", WAKE) + borrower_nonce + lender_nonce
    return signed + mac(secret, "wake", signed)


# The bundle


def request_signed(borrower_nonce, lender_nonce, exchange_key, tunnel_key):
    return head(b"STFB", 1) + borrower_nonce + lender_nonce + exchange_key + tunnel_key


def request(secret, signed):
    return signed + mac(secret, "request", signed)


def preamble(exchange_key):
    return head(b"STFB", 2) + exchange_key


def open_preamble(bytes_):
    need(len(bytes_) == 40 and bytes_[:8] == head(b"STFB", 2), "no preamble")
    return bytes_[8:]


def agree(secret, shared, signed, lender_exchange_key):
    """The seal's key and nonce prefix, and WireGuard's pre-shared key."""
    material, transcript = secret + shared, (signed, lender_exchange_key)
    seal = derive(material, "seal", 27, *transcript)
    return seal[:16], seal[16:], derive(material, "tunnel", 32, *transcript)


def chunk_cipher(key, prefix, counter, last):
    return AES.new(key, AES.MODE_EAX, nonce=prefix + struct.pack(">IB", counter, last), mac_len=TAG_LEN)


def seal_stream(key, prefix, content):
    chunks = [content[at : at + CHUNK_LEN] for at in range(0, len(content), CHUNK_LEN)] or [b""]
    sealed = b""
    for counter, chunk in enumerate(chunks):
        cipher = chunk_cipher(key, prefix, counter, counter == len(chunks) - 1)
        sealed += b"".join(cipher.encrypt_and_digest(chunk))
    return sealed


def open_stream(key, prefix, sealed):
    size = CHUNK_LEN + TAG_LEN
    chunks = [sealed[at : at + size] for at in range(0, len(sealed), size)]
    need(chunks, "no stream")
    content = b""
    for counter, chunk in enumerate(chunks):
        cipher = chunk_cipher(key, prefix, counter, counter == len(chunks) - 1)
        content += cipher.decrypt_and_verify(chunk[:-TAG_LEN], chunk[-TAG_LEN:])
    return content


def read_answer(content):
    """The Answer and the files behind it."""
    (length,) = struct.unpack(">I", content[:4])
    need(length <= CHUNK_LEN, "an Answer has 64 KiB at most")
    answer, rest = json.loads(content[4 : 4 + length]), content[4 + length :]
    files = []
    if answer["answer"] == "grant":
        for size in [answer["kernel_len"], *answer["initramfs_lens"]]:
            files.append(rest[:size])
            rest = rest[size:]
    need(not rest, "bytes behind the last file")
    return answer, files


def sha256(data):
    return hashlib.sha256(data).hexdigest()
