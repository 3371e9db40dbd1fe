"""Signatures: whatever is not these bytes, signed by this identity, in this log, at a proven time, is refused."""

import base64
import copy
import datetime
import json
import os
import random
import re
import stat
import sys
import time
from pathlib import Path

import pytest

import pki
from tinyvmaf.errors import IntegrityError, MissingExtraError, UsageError
from tinyvmaf.models import cosign, load, paths, register, registry, verify

DATA = b"graph"
HERE, OTHER = pki.Pki(), pki.Pki()
GOOD = HERE.bundle(DATA)


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "root.json"
    path.write_text(json.dumps(HERE.trusted_root()))
    return verify.Policy(pki.IDENTITY, pki.ISSUER, path)


def check(bundle, policy, data=DATA):
    verify.verify_bytes(data, json.dumps(bundle).encode(), policy)


def entry(bundle):
    return bundle["verificationMaterial"]["tlogEntries"][0]


def changed(change, bundle=GOOD):
    result = copy.deepcopy(bundle)
    change(result)
    return result


def flipped(text):
    """Base64 text of bytes whose last bit differs."""
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return pki.b64(data)


def flip(*keys):
    def change(bundle):
        place = bundle
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = flipped(place[keys[-1]])

    return changed(change)


def exchanged(part, giver):
    """The good bundle with one part of another that is good, too."""
    return changed(lambda bundle: bundle["verificationMaterial"].update({part: giver["verificationMaterial"][part]}))


ENTRY = ("verificationMaterial", "tlogEntries", 0)


def test_a_good_bundle_is_accepted(policy):
    check(GOOD, policy)
    check(
        HERE.bundle(b"", "someone@example.org", "https://issuer"),
        other(policy, "someone@example.org", "https://issuer"),
        b"",
    )


def other(policy, identity=pki.IDENTITY, issuer=pki.ISSUER):
    return verify.Policy(identity, issuer, policy.trusted_root)


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        (HERE.bundle(b"other model"), "digest mismatch"),
        (changed(lambda b: b["messageSignature"].pop("messageDigest"), HERE.bundle(b"other")), "Signature is invalid"),
        (flip("messageSignature", "signature"), "Signature is invalid"),
        (flip("messageSignature", "messageDigest", "digest"), "digest mismatch"),
        (flip("verificationMaterial", "certificate", "rawBytes"), "chain"),
        (flip(*ENTRY, "canonicalizedBody"), "root hash"),
        (flip(*ENTRY, "inclusionProof", "rootHash"), "root hash"),
        (flip(*ENTRY, "inclusionProof", "hashes", 0), "root hash"),
        (flip(*ENTRY, "inclusionPromise", "signedEntryTimestamp"), "inclusion promise"),
        (changed(lambda b: entry(b).pop("inclusionProof")), "inclusionProof"),
        (changed(lambda b: entry(b)["inclusionProof"].pop("checkpoint")), "checkpoint"),
        (changed(lambda b: entry(b)["inclusionProof"]["hashes"].pop()), "wrong size"),
        (changed(lambda b: entry(b)["inclusionProof"].update(logIndex="3")), "inclusion proof"),
        (changed(lambda b: entry(b).pop("inclusionPromise")), "inclusion promise or signed timestamp"),
        (changed(lambda b: entry(b).pop("integratedTime")), "verified time"),
        (changed(lambda b: entry(b).update(integratedTime=str(int(pki.NOW.timestamp()) + 1))), "inclusion promise"),
        (changed(lambda b: entry(b).update(integratedTime="99999999999999999")), ""),
        (changed(lambda b: entry(b).update(logIndex="4")), "inclusion promise"),
        (changed(lambda b: entry(b)["kindVersion"].update(version="0.0.2")), ""),
        (changed(lambda b: entry(b)["kindVersion"].update(kind="dsse")), ""),
        (changed(lambda b: b["verificationMaterial"].update(tlogEntries=[])), "exactly one log entry"),
        (changed(lambda b: b["verificationMaterial"]["tlogEntries"].append(entry(b))), "exactly one log entry"),
        (exchanged("tlogEntries", HERE.bundle(b"other model")), "inconsistent"),
        (exchanged("tlogEntries", HERE.bundle(DATA)), "inconsistent"),
        (exchanged("certificate", HERE.bundle(DATA)), "Signature is invalid"),
        (changed(lambda b: b.pop("messageSignature")), "messageSignature"),
        (changed(lambda b: b.pop("verificationMaterial")), "verificationMaterial"),
        (changed(lambda b: b.update(mediaType="application/json")), "mediaType"),
        (changed(lambda b: b.update(more=1)), "more"),
        (OTHER.bundle(DATA), "chain"),
        (HERE.bundle(DATA, ct_key=OTHER.ct_key), "SCT"),
        (HERE.bundle(DATA, with_sct=False), "certificate timestamp"),
        (HERE.bundle(DATA, log_key=OTHER.log_key), "log entry"),
        (HERE.bundle(DATA, code_signing=False), "code signing"),
        (HERE.bundle(DATA, digital_signature=False), "digital signature"),
        (HERE.bundle(DATA, moment=pki.NOW + 10 * pki.MINUTE), "chain"),
        (HERE.bundle(DATA, moment=pki.NOW - 2 * pki.MINUTE), "chain"),
        (HERE.bundle(DATA, moment=pki.NOW + datetime.timedelta(days=36500)), "chain"),
        (HERE.bundle(DATA, f"{pki.IDENTITY}-evil"), "SANs do not match"),
        (HERE.bundle(DATA, f"https://evil.org/?{pki.IDENTITY}"), "SANs do not match"),
        (HERE.bundle(DATA, pki.IDENTITY[:-1]), "SANs do not match"),
        (HERE.bundle(DATA, pki.IDENTITY.replace("github.com", "githubXcom")), "SANs do not match"),
        (HERE.bundle(DATA, pki.IDENTITY.upper()), "SANs do not match"),
        (HERE.bundle(DATA, issuer="https://accounts.google.com"), "OIDCIssuerV2 does not match"),
        (HERE.bundle(DATA, issuer=f"{pki.ISSUER}/"), "OIDCIssuerV2 does not match"),
        (HERE.bundle(DATA, issuer=f"{pki.ISSUER}.evil.org"), "OIDCIssuerV2 does not match"),
        ([], ""),
        ({}, ""),
        (None, ""),
    ],
)  # fmt: skip
def test_everything_else_is_refused(bundle, reason, policy):
    with pytest.raises(IntegrityError, match=f"model must be signed by .*, but it is not: .*{reason}") as caught:
        check(bundle, policy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b'{"mediaType": "a", "mediaType": "a"}', b" " * (1 << 21)])
def test_a_bundle_is_strict_json(text, policy):
    with pytest.raises(IntegrityError):
        verify.verify_bytes(DATA, text, policy)


def test_every_flipped_byte_of_a_model_is_refused(policy):
    data = random.Random(1).randbytes(64)
    bundle = HERE.bundle(data)
    check(bundle, policy, data)
    for position in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[position // 8] ^= 1 << position % 8
        with pytest.raises(IntegrityError, match="digest mismatch"):
            check(bundle, policy, bytes(wrong))


def sense(bundle):
    """All that a bundle proves.

    Not: bits that base64 pads with, the name beside the checkpoint's signature (the key is found by its hash), the name
    of the digest's algorithm (SHA-256 is what is computed), and the size of the tree where the path stays as long (the
    signed root is what counts).
    """
    item, proof, raw = entry(bundle), entry(bundle)["inclusionProof"], base64.b64decode
    signature, promise = bundle["messageSignature"], item["inclusionPromise"]
    return [
        raw(bundle["verificationMaterial"]["certificate"]["rawBytes"]), raw(signature["signature"]),
        raw(signature["messageDigest"]["digest"]), raw(item["canonicalizedBody"]), item["integratedTime"],
        item["logIndex"], raw(item["logId"]["keyId"]), item["kindVersion"], raw(promise["signedEntryTimestamp"]),
        proof["logIndex"], raw(proof["rootHash"]), [raw(text) for text in proof["hashes"]],
        proof["checkpoint"]["envelope"].partition("\n\n")[0], bundle["mediaType"],
    ]  # fmt: skip


def test_flipped_bits_of_a_bundle_are_refused_or_mean_nothing(policy):
    """All bits of what stands near the ends of its texts, which is where slack is, and others at random."""
    whole = json.dumps(GOOD, ensure_ascii=False).encode()
    near = [
        8 * i + bit
        for found in re.finditer(rb'["=]', whole)
        for i in range(found.start() - 2, found.start())
        for bit in range(8)
    ]
    passed = 0
    for position in random.Random(3).sample(range(8 * len(whole)), 500) + near:
        wrong = bytearray(whole)
        wrong[position // 8] ^= 1 << position % 8
        try:
            verify.verify_bytes(DATA, bytes(wrong), policy)
        except IntegrityError:
            continue
        passed += 1
        assert sense(json.loads(wrong)) == sense(GOOD)
    assert 0 < passed < 100


def test_only_the_given_roots_count(policy, tmp_path):
    rogue = verify.Policy(pki.IDENTITY, pki.ISSUER, tmp_path / "other.json")
    rogue.trusted_root.write_text(json.dumps(OTHER.trusted_root()))
    public = verify.Policy(pki.IDENTITY, pki.ISSUER)
    for trusting in (rogue, public):
        with pytest.raises(IntegrityError, match="chain"):
            check(GOOD, trusting)
    for content in ("", "{}", json.dumps(HERE.trusted_root() | {"tlogs": []})):
        rogue.trusted_root.write_text(content)
        with pytest.raises(IntegrityError):
            check(GOOD, rogue)
    rogue.trusted_root.unlink()
    with pytest.raises(IntegrityError, match="No such file"):
        check(GOOD, rogue)


def test_the_public_roots_come_with_the_package_and_not_from_a_cache(tmp_path, monkeypatch):
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    root = verify._trusted_root(verify.Policy("a", "b"))
    assert {log.base_url for log in root._inner.tlogs} >= {"https://rekor.sigstore.dev"}
    assert root.get_fulcio_certs()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("identity", "issuer"), [("", pki.ISSUER), (pki.IDENTITY, ""), ("", "")])
def test_identity_and_issuer_are_both_stated(identity, issuer):
    with pytest.raises(UsageError, match="one of them is empty"):
        verify.Policy(identity, issuer)


def test_the_release_policy_is_one_identity():
    policy = verify.release_policy("1.0.0")
    assert (policy.identity, policy.issuer, policy.trusted_root) == (pki.IDENTITY, pki.ISSUER, None)


def test_without_the_package_nothing_is_verified(policy, monkeypatch):
    monkeypatch.setitem(sys.modules, "sigstore.models", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinyvmaf\[verify\]'"):
        check(GOOD, policy)


def test_errors_are_one_line_that_prints():
    assert verify._reason(ValueError("a\n  b.")) == "a b"
    assert verify._reason(ValueError("\x1b[2J")) == r"'\x1b[2J'"
    assert verify._reason(ValueError()) == "ValueError"


# Through the one way in


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A signed model in place of the packaged ones, its store empty."""
    monkeypatch.setenv(paths.DATA, str(tmp_path / "user"))
    monkeypatch.delenv(paths.JAIL, raising=False)
    (tmp_path / "user" / "models").mkdir(parents=True)
    place = tmp_path / "packaged"
    place.mkdir()
    write(place, "own.onnx", DATA)
    write(place, "own.int8.onnx", b"small")
    said = {"kind": "fr", "target": "teacher", "quant_mode": "static"}
    (place / "own.json").write_text(json.dumps(said))
    register.write_registry(place, identity=pki.IDENTITY, issuer=pki.ISSUER)
    monkeypatch.setattr(registry, "data_folder", lambda: place)
    return place


@pytest.fixture
def our_root(policy, monkeypatch):
    """Our Sigstore in place of the public one."""
    from sigstore.models import TrustedRoot

    monkeypatch.setattr(verify, "_trusted_root", lambda wanted: TrustedRoot.from_file(str(policy.trusted_root)))


def write(place, name, data):
    (place / name).write_bytes(data)
    (place / f"{name}.sigstore.json").write_text(json.dumps(HERE.bundle(data)))


def test_packaged_models_are_verified_as_the_registry_pins(folder, our_root):
    assert load.load("own").verified is False
    model = load.load("own", verify=True)
    assert (model.verified, model.data, model.registered) == (True, DATA, True)
    small = load.load("own", verify=True, variant="int8")
    assert (small.verified, small.data) == (True, b"small")


def test_the_public_roots_do_not_know_our_test_authority(folder):
    with pytest.raises(IntegrityError, match="model own must be signed by"):
        load.load("own", verify=True)


@pytest.mark.parametrize("name", ["own.onnx.sigstore.json", "own.int8.onnx.sigstore.json"])
def test_a_bundle_that_is_missing_or_another_models_is_refused(folder, our_root, name):
    variant = "int8" if "int8" in name else "fp32"
    (folder / name).write_text(json.dumps(HERE.bundle(b"another")))
    with pytest.raises(IntegrityError, match="digest mismatch"):
        load.load("own", verify=True, variant=variant)
    (folder / name).unlink()
    with pytest.raises(IntegrityError, match="no signature that can be read"):
        load.load("own", verify=True, variant=variant)
    (folder / name).write_bytes(b" " * (1 << 21))
    with pytest.raises(IntegrityError, match="no signature that can be read"):
        load.load("own", verify=True, variant=variant)


def test_a_model_without_bundle_says_so(policy):
    for verifying in (True, policy):
        with pytest.raises(
            IntegrityError, match="vmaf_tiny is not signed: its registry entry names no Sigstore bundle"
        ):
            load.load("vmaf_tiny", verify=verifying)
    with pytest.raises(IntegrityError, match="names no Sigstore bundle"):
        load.load("vmaf_v0.6.1", verify=True)


def test_the_store_and_paths_do_not_vouch_for_themselves(folder, policy, tmp_path):
    """Whoever can write there can write the signer's name there, too."""
    store = tmp_path / "user" / "models"
    write(store, "mine.onnx", DATA)
    (store / "mine.json").write_text("{}")
    said = {
        "id": "mine", "kind": "nr", "onnx": "mine.onnx", "sha256": load.load("own").sha256, "sidecar_sha256": SHA_EMPTY,
        "sigstore_bundle": "mine.onnx.sigstore.json", "sigstore_identity": pki.IDENTITY, "sigstore_issuer": pki.ISSUER,
    }  # fmt: skip
    (store / "mine.entry.json").write_text(json.dumps(said))
    for model in ("mine", store / "mine.onnx"):
        with pytest.raises(IntegrityError, match="Nobody vouches for who signs"):
            load.load(model, verify=True)
        with pytest.raises(IntegrityError, match="sidecar has no signature"):
            load.load(model, verify=policy)
    write(store, "mine.json", b"{}")
    for model in ("mine", store / "mine.onnx"):
        assert load.load(model, verify=policy).verified
        with pytest.raises(IntegrityError, match="SANs do not match"):
            load.load(model, verify=verify.Policy("https://other", pki.ISSUER, policy.trusted_root))
    (store / "mine.json.sigstore.json").write_text(json.dumps(HERE.bundle(DATA)))
    with pytest.raises(IntegrityError, match=r"mine's sidecar must be signed.*digest mismatch"):
        load.load("mine", verify=policy)


SHA_EMPTY = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""Of the sidecar {}."""


def test_bundles_of_paths_are_jailed(tmp_path, policy, monkeypatch):
    jail = tmp_path / "jail"
    jail.mkdir()
    write(jail, "m.onnx", DATA)
    monkeypatch.setenv(paths.JAIL, str(jail))
    assert load.load(jail / "m.onnx", verify=policy).verified
    bundle = jail / "m.onnx.sigstore.json"
    bundle.rename(tmp_path / "bundle")
    bundle.symlink_to(tmp_path / "bundle")
    with pytest.raises(IntegrityError, match="must lie inside"):
        load.load(jail / "m.onnx", verify=policy)


# With cosign


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A program in cosign's place that notes its arguments and what the files held, and does as it is told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "cosign"

    def write(ending):
        program.write_text(
            f"#!{sys.executable}\nimport json, os, sys, time\n"
            "files = [sys.argv[-1], sys.argv[2].partition('=')[2]]\n"
            f"note = {{'words': sys.argv[1:], 'held': [open(f, 'rb').read().hex() for f in files],\n"
            "        'modes': [os.stat(os.path.dirname(f)).st_mode for f in files]}\n"
            f"json.dump(note, open({str(tmp_path / 'note.json')!r}, 'w'))\n{ending}\n"
        )
        program.chmod(0o755)
        return lambda: json.loads((tmp_path / "note.json").read_text())

    monkeypatch.setenv("PATH", str(folder))
    return write


def test_cosign_is_asked_exactly(stand_in, policy):
    note = stand_in("sys.exit(0)")
    cosign.verify_bytes(DATA, b"{}", policy)
    said = note()
    bundle, model = said["words"][1].removeprefix("--bundle="), said["words"][-1]
    assert said["words"] == [
        "verify-blob",
        f"--bundle={bundle}",
        f"--certificate-identity={pki.IDENTITY}",
        f"--certificate-oidc-issuer={pki.ISSUER}",
        f"--trusted-root={policy.trusted_root}",
        model,
    ]
    assert [bytes.fromhex(text) for text in said["held"]] == [DATA, b"{}"]
    assert {stat.S_IMODE(mode) for mode in said["modes"]} == {0o700}
    assert not os.path.exists(os.path.dirname(model))
    cosign.verify_bytes(DATA, b"{}", verify.release_policy("1.0.0"))
    assert not [word for word in note()["words"] if "root" in word.partition("=")[0]]


def test_an_identity_is_never_a_shell_word(stand_in, policy, tmp_path):
    note = stand_in("sys.exit(0)")
    cosign.verify_bytes(DATA, b"{}", verify.Policy("$(touch x); --insecure", "-i", policy.trusted_root))
    assert note()["words"][2:4] == ["--certificate-identity=$(touch x); --insecure", "--certificate-oidc-issuer=-i"]


def test_cosign_that_says_no_is_believed(stand_in, policy):
    for ending, said in (
        ("sys.stderr.write('none of the\\n expected \\x1b[2J'); sys.exit(1)", r"'none of the expected \\x1b\[2J'"),
        ("sys.exit(3)", "exit 3"),
        ("os.kill(os.getpid(), 9)", "exit -9"),
    ):
        stand_in(ending)
        with pytest.raises(IntegrityError, match=f"cosign says: {said}"):
            cosign.verify_bytes(DATA, b"{}", policy)


def test_cosign_that_hangs_is_stopped(stand_in, policy, monkeypatch):
    stand_in("time.sleep(60)")
    monkeypatch.setattr(cosign, "TIME_LIMIT", 0.5)
    start = time.perf_counter()
    with pytest.raises(IntegrityError, match="did not finish"):
        cosign.verify_bytes(DATA, b"{}", policy)
    assert time.perf_counter() - start < 20


def test_without_cosign_nothing_is_verified(tmp_path, policy, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(IntegrityError, match="needs cosign on PATH"):
        cosign.verify_bytes(DATA, b"{}", policy)
    (tmp_path / "cosign").write_text("not a program")
    (tmp_path / "cosign").chmod(0o755)
    with pytest.raises(IntegrityError, match="did not finish"):
        cosign.verify_bytes(DATA, b"{}", policy)


def test_models_are_verified_with_cosign_when_asked(folder, stand_in):
    note = stand_in("sys.exit(0)")
    assert load.load("own", verify=True, with_cosign=True).verified
    assert bytes.fromhex(note()["held"][0]) == DATA
    stand_in("sys.exit(1)")
    with pytest.raises(IntegrityError, match="The model own must pass cosign"):
        load.load("own", verify=True, with_cosign=True)


def test_the_bundles_of_the_package_are_those_of_its_entries():
    signed = {entry.sigstore_bundle for entry in registry.packaged() if entry.sigstore_bundle}
    assert signed == {path.name for path in Path(registry.data_folder()).glob("*.sigstore.json")}
