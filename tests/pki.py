"""A Sigstore of our own, without a network: certificate authority, certificate log, transparency log, trusted root.

It makes bundles as Fulcio and Rekor do, from RFC 6962 (logs), RFC 8785 (canonical JSON) and Fulcio's list of
extensions, so that the real verifier has everything to check; each step can be asked to go wrong.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import http.server
import json
import struct
import threading
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

IDENTITY = "https://github.com/tinyvmaf/tinyvmaf/.github/workflows/release.yml@refs/tags/v1.0.0"
ISSUER = "https://token.actions.githubusercontent.com"
ORIGIN = "log.test - 1"
NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
YEAR = datetime.timedelta(days=365)

_ISSUER_V1, _ISSUER_V2 = (x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{i}") for i in (1, 8))
_SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


def _key():
    return ec.generate_private_key(ec.SECP256R1())


def _sign(key, data):
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _spki(key):
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, kind)


def _id(key):
    return hashlib.sha256(_spki(key)).digest()


def b64(data):
    return base64.b64encode(data).decode()


def _der(tag, content):
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82, *struct.pack("!H", size)])
    return bytes([tag]) + length + content


def _canonical(value):
    """RFC 8785 for what occurs here: ASCII keys, integers, plain strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _time(moment):
    return moment.isoformat().replace("+00:00", "Z")


def _tree(leaves):
    """Root of RFC 6962's Merkle tree, by its recursive definition."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _tree(leaves[:split]) + _tree(leaves[split:])).digest()


def _path(index, leaves):
    """Audit path of a leaf, by the recursive definition."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*_path(index, leaves[:split]), _tree(leaves[split:])]
    return [*_path(index - split, leaves[split:]), _tree(leaves[:split])]


@dataclass
class Pki:
    """Keys of all parties; a key of another Pki is one that this one's trusted root does not know."""

    root_key: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    ca_key: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    log_key: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    ct_key: ec.EllipticCurvePrivateKey = field(default_factory=_key)

    def __post_init__(self):
        self.root = self._authority("root", self.root_key, "root", self.root_key)
        self.ca = self._authority("ca", self.ca_key, "root", self.root_key)
        self.leaves = [f"entry {i}".encode() for i in range(5)]

    def _authority(self, name, key, issuer, issuer_key):
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        builder = (
            x509.CertificateBuilder(names[1], names[0], key.public_key(), x509.random_serial_number())
            .not_valid_before(NOW - YEAR)
            .not_valid_after(NOW + 50 * YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        return builder.sign(issuer_key, hashes.SHA256())

    def certificate(
        self, public_key, identity=IDENTITY, issuer=ISSUER, *, start=NOW - MINUTE, end=NOW + 9 * MINUTE, ct_key=None,
        with_sct=True, code_signing=True, digital_signature=True,
    ):  # fmt: skip
        """A leaf as Fulcio issues it, with the timestamp of the certificate log inside."""
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
             "crl_sign", "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        purpose = ExtendedKeyUsageOID.CODE_SIGNING if code_signing else ExtendedKeyUsageOID.EMAIL_PROTECTION
        name = x509.RFC822Name(identity) if "://" not in identity else x509.UniformResourceIdentifier(identity)
        key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.ca_key.public_key())
        builder = (
            x509.CertificateBuilder(self.ca.subject, x509.Name([]), public_key, x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.KeyUsage(digital_signature=digital_signature, **usage), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(key_id, critical=False)
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_V1, issuer.encode()), critical=False)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_V2, _der(0x0C, issuer.encode())), critical=False)
        )
        if with_sct:
            before = builder.sign(self.ca_key, hashes.SHA256()).tbs_certificate_bytes
            scts = x509.UnrecognizedExtension(_SCTS, self._scts(before, start, ct_key or self.ct_key))
            builder = builder.add_extension(scts, critical=False)
        return builder.sign(self.ca_key, hashes.SHA256())

    def _scts(self, precertificate, moment, key):
        """RFC 6962, sections 3.2 and 3.3."""
        stamp = struct.pack("!Q", int(moment.timestamp() * 1000))
        entry = _id(self.ca_key) + struct.pack("!I", len(precertificate))[1:] + precertificate
        signature = _sign(key, b"\0\0" + stamp + b"\0\1" + entry + b"\0\0")
        sct = b"\0" + _id(key) + stamp + b"\0\0" + b"\4\3" + struct.pack("!H", len(signature)) + signature
        one = struct.pack("!H", len(sct)) + sct
        return _der(0x04, struct.pack("!H", len(one)) + one)

    def entry(self, body, moment=NOW, *, log_key=None):
        """An entry of the transparency log, third of six, with inclusion proof, checkpoint and signed timestamp."""
        key = log_key or self.log_key
        leaves = [*self.leaves[:2], body, *self.leaves[2:]]
        root = _tree(leaves)
        note = f"{ORIGIN}\n{len(leaves)}\n{b64(root)}\n"
        checkpoint = f"{note}\n— log.test {b64(_id(key)[:4] + _sign(key, note.encode()))}\n"
        seconds = int(moment.timestamp())
        promise = {"body": b64(body), "integratedTime": seconds, "logID": _id(key).hex(), "logIndex": 2}
        return {
            "logIndex": "2",
            "logId": {"keyId": b64(_id(key))},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
            "integratedTime": str(seconds),
            "inclusionPromise": {"signedEntryTimestamp": b64(_sign(key, _canonical(promise)))},
            "inclusionProof": {
                "logIndex": "2",
                "rootHash": b64(root),
                "treeSize": str(len(leaves)),
                "hashes": [b64(item) for item in _path(2, leaves)],
                "checkpoint": {"envelope": checkpoint},
            },
            "canonicalizedBody": b64(body),
        }

    def bundle(self, data, identity=IDENTITY, issuer=ISSUER, *, moment=NOW, log_key=None, **certificate):
        """A bundle over some bytes; more arguments go to `certificate`."""
        key = _key()
        leaf = self.certificate(key.public_key(), identity, issuer, **certificate)
        signature = _sign(key, data)
        return self._bundle(data, leaf, signature, moment, log_key)

    def _bundle(self, data, leaf, signature, moment, log_key):
        digest = hashlib.sha256(data)
        pem = leaf.public_bytes(serialization.Encoding.PEM)
        body = {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": digest.hexdigest()}},
                "signature": {"content": b64(signature), "publicKey": {"content": b64(pem)}},
            },
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": b64(leaf.public_bytes(serialization.Encoding.DER))},
                "tlogEntries": [self.entry(_canonical(body), moment, log_key=log_key)],
            },
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": b64(digest.digest())},
                "signature": b64(signature),
            },
        }

    def trusted_root(self, url="https://log.invalid"):
        """What a client is given to trust."""
        since = {"start": _time(NOW - YEAR)}

        def log(key):
            public = {"rawBytes": b64(_spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": since}
            return {
                "baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": {"keyId": b64(_id(key))},
            }  # fmt: skip

        chain = [{"rawBytes": b64(item.public_bytes(serialization.Encoding.DER))} for item in (self.ca, self.root)]
        authority = {
            "subject": {"organization": "test", "commonName": "ca"},
            "uri": "https://ca.invalid",
            "certChain": {"certificates": chain},
            "validFor": since,
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.log_key)],
            "certificateAuthorities": [authority],
            "ctlogs": [log(self.ct_key)],
        }

    def trust_config(self, url):
        """A private deployment whose services all answer at one address."""
        service = [{"url": url, "majorApiVersion": 1, "validFor": {"start": _time(NOW - YEAR)}, "operator": "test"}]
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.trusted_root(url),
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": service,
                "oidcUrls": service,
                "rekorTlogUrls": service,
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaConfig": {"selector": "ANY"},
            },
        }

    def answer(self, path, token, request):
        """What Fulcio and Rekor say to a request."""
        if path == "/api/v2/signingCert":
            csr = x509.load_pem_x509_csr(base64.b64decode(request["certificateSigningRequest"]))
            said = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
            moment = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
            leaf = self.certificate(
                csr.public_key(), said["sub"], said["iss"], start=moment - MINUTE, end=moment + 9 * MINUTE
            )
            chain = [item.public_bytes(serialization.Encoding.PEM).decode() for item in (leaf, self.ca, self.root)]
            return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}
        entry = self.entry(_canonical(request), datetime.datetime.now(datetime.UTC))
        proof = entry["inclusionProof"]
        return {
            "uuid": {
                "body": entry["canonicalizedBody"],
                "integratedTime": int(entry["integratedTime"]),
                "logID": base64.b64decode(entry["logId"]["keyId"]).hex(),
                "logIndex": 2,
                "verification": {
                    "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
                    "inclusionProof": {
                        "checkpoint": proof["checkpoint"]["envelope"],
                        "hashes": [base64.b64decode(item).hex() for item in proof["hashes"]],
                        "logIndex": 2,
                        "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                        "treeSize": int(proof["treeSize"]),
                    },
                },
            }
        }


def token(subject=IDENTITY, issuer=ISSUER, lifetime=600, audience="sigstore"):
    """An identity token with a signature that only the services would look at."""
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    claims = {"aud": audience, "sub": subject, "iss": issuer, "iat": now, "nbf": now - 1, "exp": now + lifetime}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)] + [b"signature"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@contextlib.contextmanager
def services(pki):
    """Fulcio and Rekor on this machine's loopback; gives their address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            data = json.dumps(pki.answer(self.path, bearer, request)).encode()
            self.send_response(201)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
