"""Makes the golden files, from docs/attestation.md and RFC 8949 alone. Run in this folder."""

def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for code, length in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * length:
            return bytes([major << 5 | code]) + number.to_bytes(length, "big")


def encode(value):
    match value:
        case int():
            return head(0, value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case list():
            return head(4, len(value)) + b"".join(map(encode, value))
        case dict():
            entries = sorted((encode(key), encode(item)) for key, item in value.items())
            return head(5, len(value)) + b"".join(key + item for key, item in entries)
        case (tag, item):
            return head(6, tag) + encode(item)


document, module, other = bytes(range(64)), b"\xaa" * 32, b"\xbb" * 32
of_module = {"tw-doc": document, "tw-module": module}
claims = {
    "launch": of_module,
    "launch-nonce": of_module | {"nonce": b"verifier"},
    "ra-tls": of_module | {"nonce": bytes(64), "pubkey-hash": encode([1, other])},
    "provision": {"tw-doc": document, "tw-hpke": other},
    "migrate": {"tw-doc": document, "tw-hpke": other},
    "guest": of_module | {"tw-user": other},
    "peer": of_module | {"tw-user": other},
}
made = {}
for name, entries in claims.items():
    made["claims-" + name] = encode(entries | {"tw-purpose": name.removesuffix("-nonce")})
pattern = bytes(range(251)) * 4
for name, tag in (("processor", 60000), ("emulator", 1397312853)):
    made["evidence-" + name] = encode((tag, [pattern[:1000], made["claims-launch-nonce"]]))
made["peer"] = encode(["twine-peer", 1, pattern[:432], made["claims-peer"]])
for name, value in made.items():
    with open(name + ".cbor", "wb") as file:
        file.write(value)
