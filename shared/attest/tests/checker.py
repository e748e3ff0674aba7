#!/usr/bin/env python3
"""An independent checker of RA-TLS certificates, written from docs/attestation.md and Intel's format of quotes alone.

    pip install -r checker.txt
    checker.py check [--root SHA256] CERTIFICATE...   (PEM or DER)
    checker.py selftest                               (the certificates next to this file, and changed ones)

It asks what binds a certificate to an enclave: that the quote vouches for the claims, that the claims are about the
certificate's key, that the quote's signatures are right up to the root of its own chain. Whose root that is, it asks if
it is told; whether certificates have been revoked, and whether the enclave is the one you want, it does not.
"""

import hashlib
import io
import pathlib
import struct
import sys
import tomllib

import cbor2
from asn1crypto import pem, x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificates

EVIDENCE = "2.23.133.5.4.9"
PROCESSOR, EMULATOR = 60000, 0x53494D55
HASHES = {1: hashlib.sha256, 7: hashlib.sha384, 8: hashlib.sha512}
OURS = {"tw-purpose", "tw-doc", "tw-module", "nonce", "pubkey-hash"}


class Refused(Exception):
    pass


def demand(truth, reason):
    if not truth:
        raise Refused(reason)


def whole(data, what):
    """One CBOR item and no byte behind it."""
    stream = io.BytesIO(data)
    try:
        item = cbor2.load(stream)
    except cbor2.CBORDecodeError as error:
        raise Refused(f"{what}: {error}") from error
    demand(not stream.read(1), f"{what}: bytes follow")
    return item


def der(data):
    """A certificate's DER. The library's own test for PEM also finds the certificates inside a quote."""
    if data.lstrip().startswith(b"-----BEGIN "):
        _, _, data = pem.unarmor(data)
    return data


def extension(certificate):
    found = [
        entry["extn_value"].contents
        for entry in certificate["tbs_certificate"]["extensions"]
        if entry["extn_id"].dotted == EVIDENCE
    ]
    demand(len(found) == 1, f"evidence stands {len(found)} times in the certificate")
    return found[0]


def check_claims(claims, key, report):
    data = hashlib.sha256(claims).digest() + bytes(32)
    demand(report[320:384] == data, "the quote vouches for other claims")
    entries = whole(claims, "claims")
    demand(isinstance(entries, dict), "claims: not a map")
    pair = whole(entries.get("pubkey-hash", b""), "pubkey-hash")
    demand(isinstance(pair, list) and len(pair) == 2, "pubkey-hash: not a pair")
    demand(pair[0] in HASHES, f"pubkey-hash: algorithm {pair[0]}")
    demand(HASHES[pair[0]](key).digest() == pair[1], "the claims are about another key")
    if any(name.startswith("tw-") for name in entries):
        check_ours(entries, claims, report)
    return entries


def check_ours(entries, claims, report):
    """What docs/attestation.md asks of our own claims beyond the interoperable format."""
    demand(entries.get("tw-purpose") == "ra-tls", "not for ra-tls")
    unknown = set(entries) - OURS
    demand(not unknown, f"unknown claims: {unknown}")
    demand(entries.get("tw-doc") == report[192:256], "tw-doc is not CONFIGID")
    demand(len(entries.get("tw-module", b"")) == 32, "tw-module is not a SHA-256")
    demand(8 <= len(entries.get("nonce", bytes(8))) <= 64, "nonce of a wrong length")
    demand(cbor2.dumps(entries, canonical=True) == claims, "claims: not deterministic")


def public(point):
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + point)


def check_signature(key, signature, data, what):
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise Refused(f"{what}: wrong signature") from error


def check_chain(chain, root):
    """Each certificate is signed by the next one, and the last by itself: the root that is asked for."""
    for certificate, issuer in zip(chain, chain[1:] + chain[-1:]):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError) as error:
            raise Refused(f"chain: {certificate.subject.rfc4514_string()} is not its issuer's") from error
    found = hashlib.sha256(chain[-1].public_bytes(Encoding.DER)).hexdigest()
    demand(root in (None, found), f"chain: leads to another root, {found}")


def check_quote(quote, root):
    """Returns the enclave's report."""
    demand(len(quote) > 1052, "quote: cut off")
    version, key_type, kind = struct.unpack_from("<HHI", quote)
    demand((version, key_type, kind) == (3, 2, 0), "quote: not version 3, ECDSA, SGX")
    (length,) = struct.unpack_from("<I", quote, 432)
    demand(len(quote) == 436 + length, "quote: wrong length")
    signature, key, report = quote[436:500], quote[500:564], quote[564:948]
    (data_length,) = struct.unpack_from("<H", quote, 1012)
    demand(data_length == 32, "quote: wrong authentication data")
    (chain_type, chain_length) = struct.unpack_from("<HI", quote, 1046)
    demand(chain_type == 5 and 1052 + chain_length == len(quote), "quote: no chain")
    check_signature(public(key), signature, quote[:432], "quote")
    vouched = hashlib.sha256(key + quote[1014:1046]).digest() + bytes(32)
    demand(report[320:384] == vouched, "the quoting enclave vouches for another key")
    chain = load_pem_x509_certificates(quote[1052:].rstrip(b"\0"))
    check_signature(chain[0].public_key(), quote[948:1012], report, "quoting enclave's report")
    check_chain(chain, root)
    return quote[48:432]


def check_own_signature(data):
    """Ours are signed with their own key, of P-256, and say so in the forms that docs/attestation.md names."""
    certificate = load_der_x509_certificate(data)
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError) as error:
        raise Refused("certificate: not signed with its own key") from error
    demand(certificate.signature_algorithm_oid.dotted_string == "1.2.840.10045.4.3.2", "certificate: signature algorithm")
    demand(isinstance(certificate.public_key().curve, ec.SECP256R1), "certificate: not a key of P-256")
    demand(certificate.subject.rfc4514_string() == "CN=Twine enclave", "certificate: subject")
    dates = (certificate.not_valid_before_utc.isoformat(), certificate.not_valid_after_utc.isoformat())
    demand(dates == ("2000-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"), f"certificate: dates {dates}")
    demand(not any(entry.critical for entry in certificate.extensions), "certificate: critical extensions")


def check(data, root=None):
    data = der(data)
    certificate = x509.Certificate.load(data, strict=True)
    key = certificate["tbs_certificate"]["subject_public_key_info"].dump()
    evidence = whole(extension(certificate), "evidence")
    demand(isinstance(evidence, cbor2.CBORTag), "evidence: no tag")
    demand(evidence.tag in (PROCESSOR, EMULATOR), f"evidence: tag {evidence.tag}")
    demand(isinstance(evidence.value, list) and len(evidence.value) == 2, "evidence: not a pair")
    quote, claims = evidence.value
    demand(isinstance(quote, bytes) and isinstance(claims, bytes), "evidence: not two byte strings")
    report = check_quote(quote, root)
    simulated = quote[28:48] == b"SIMULATED-NOT-SECURE" or report[:16] == b"SIMULATED-CPUSVN"
    demand(simulated == (evidence.tag == EMULATOR), "tag and marks of simulation contradict each other")
    entries = check_claims(claims, key, report)
    if "tw-purpose" in entries:
        check_own_signature(data)
    kind = "SIMULATED" if simulated else "real"
    return f"{kind} quote of MRENCLAVE {report[64:96].hex()}, claims {sorted(entries)}"


def refuses(data, reason, root=None):
    try:
        check(data, root)
    except (Refused, ValueError) as error:
        return reason in str(error)
    return False


def selftest():
    folder = pathlib.Path(__file__).parent / "vectors"
    foreign = sorted(folder.glob("ccc-interoperable-ra-tls/**/*.pem"))
    ours = sorted(folder.glob("own/*.pem"))
    assert len(foreign) >= 3 and ours, (foreign, ours)
    policy = tomllib.loads((folder / "own" / "policy.toml").read_text())
    (root,) = policy["simulation"]["trusted_roots_sha256"]
    for path in foreign:
        check_changes(path)
    for path in ours:
        check_changes(path, root)
        data = der(path.read_bytes())
        assert refuses(data, "another root", "00" * 32), path.name
        # A byte of a name, and one of the signature.
        for place in (data.index(b"example"), len(data) - 1):
            changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            assert refuses(changed, "not signed with its own key", root), (path.name, place)
    print(f"{len(foreign)} + {len(ours)} certificates are bound to their enclaves, and changed ones are refused")


def check_changes(path, root=None):
    """The certificate is right; with one byte changed in a part that is bound, it is not."""
    data = path.read_bytes()
    print(f"{path.name}: {check(data, root)}")
    data = der(data)
    certificate = x509.Certificate.load(data)
    key = certificate["tbs_certificate"]["subject_public_key_info"].dump()
    quote, claims = whole(extension(certificate), "evidence").value
    # The key, the claims, the report, the quoting enclave's report and its key.
    for part, offset, reason in [
        (key, len(key) - 1, "another key"),
        (claims, len(claims) - 1, "vouches for other claims"),
        (quote, 48 + 64, "quote: wrong signature"),
        (quote, 564 + 64, "quoting enclave's report: wrong signature"),
        (quote, 500, ""),
    ]:
        start = data.rindex(part) + offset
        changed = data[:start] + bytes([data[start] ^ 1]) + data[start + 1 :]
        assert refuses(changed, reason, root), (path.name, offset, reason)


def main():
    match sys.argv[1:]:
        case ["selftest"]:
            selftest()
        case ["check", "--root", root, *paths] if paths:
            show(paths, root)
        case ["check", *paths] if paths:
            show(paths)
        case _:
            sys.exit(__doc__)


def show(paths, root=None):
    for path in paths:
        print(f"{path}: {check(pathlib.Path(path).read_bytes(), root)}")


if __name__ == "__main__":
    try:
        main()
    except (Refused, ValueError) as reason:
        sys.exit(f"refused: {reason}")
