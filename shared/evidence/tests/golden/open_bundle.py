"""Reads bundle.cbor from docs/attestation.md and RFC 9180 alone. Run in this folder; needs the package `cryptography`."""

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, utils, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


def decode(data):
    """One CBOR value, and what follows."""
    major, number, data = data[0] >> 5, data[0] & 31, data[1:]
    if number >= 24:
        length = 1 << number - 24
        number, data = int.from_bytes(data[:length], "big"), data[length:]
    match major:
        case 0:
            return number, data
        case 2:
            return data[:number], data[number:]
        case 3:
            return data[:number].decode(), data[number:]
    items = []
    for _ in range(number if major == 4 else 2 * number):
        item, data = decode(data)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2]))), data


def keyed(key, data):
    context = hmac.HMAC(key, hashes.SHA256())
    context.update(data)
    return context.finalize()


def extract(suite, salt, label, key):
    return keyed(salt or bytes(32), b"HPKE-v1" + suite + label + key)


def expand(suite, key, label, info, length):
    info = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    out = block = b""
    while len(out) < length:
        block = keyed(key, block + info + bytes([len(out) // 32 + 1]))
        out += block
    return out[:length]


def number(value):
    return value.to_bytes(2, "big")


bundle = open("bundle.cbor", "rb").read()
(name, version, header, enc, ct, signature), rest = decode(bundle)
assert (name, version, rest) == ("twine-bundle", 1, b"")
to, _ = decode(header)

# The signature is over the array of the five items before it, whose last 66 bytes it is.
provisioner = ec.derive_private_key(int.from_bytes(bytes([7]) * 32, "big"), ec.SECP256R1()).public_key()
r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
provisioner.verify(utils.encode_dss_signature(r, s), b"\x85" + bundle[1:-66], ec.ECDSA(hashes.SHA256()))

private = x25519.X25519PrivateKey.from_private_bytes(bytes([1]) * 32)
shared = private.exchange(x25519.X25519PublicKey.from_public_bytes(enc))
kem, suite = b"KEM" + number(0x20), b"HPKE" + number(0x20) + number(1) + number(3)
both = enc + private.public_key().public_bytes_raw()
shared = expand(kem, extract(kem, b"", b"eae_prk", shared), b"shared_secret", both, 32)
info = b"twine bundle 1" + to["request"]
context = b"\0" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
secret = extract(suite, shared, b"secret", b"")
key, nonce = expand(suite, secret, b"key", context, 32), expand(suite, secret, b"base_nonce", context, 12)
payload, rest = decode(ChaCha20Poly1305(key).decrypt(nonce, ct, header))
assert (to["engine"], to["request"], to["config-id"]) == ("wasmtime-48", bytes([3]) * 32, bytes([4]) * 64)
assert payload == {
    "module": b"machine code",
    "secrets": {"token": b"s3cret", "ca.pem": b""},
    "volume-keys": {"/data": bytes([5]) * 32},
}
assert rest == b""
print("the bundle is as docs/attestation.md says")
