"""Signing against a Sigstore of our own on this machine's loopback: what we sign, we verify."""

import json
import sys

import pytest

import pki
from tinyvmaf.errors import IntegrityError, MissingExtraError, RunError, UsageError
from tinyvmaf.models import sign, verify


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch):
    """Neither a proxy between us and ourselves nor an identity of the machine that runs the tests."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE", "ACTIONS_ID_TOKEN_REQUEST_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def deployment(tmp_path):
    """Trust configuration of a running Sigstore, and the policy that accepts what it signs."""
    own = pki.Pki()
    config, root = tmp_path / "config.json", tmp_path / "root.json"
    root.write_text(json.dumps(own.trusted_root()))
    with pki.services(own) as url:
        config.write_text(json.dumps(own.trust_config(url)))
        yield config, verify.Policy(pki.IDENTITY, pki.ISSUER, root)


def test_what_is_signed_is_verified(deployment):
    config, policy = deployment
    bundle = sign.sign(b"graph", identity_token=pki.token(), trust_config=config)
    verify.verify_bytes(b"graph", bundle, policy)
    assert json.loads(bundle)["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    with pytest.raises(IntegrityError, match="digest mismatch"):
        verify.verify_bytes(b"grapi", bundle, policy)
    other = sign.sign(b"graph", identity_token=pki.token("https://someone/else"), trust_config=config)
    with pytest.raises(IntegrityError, match="SANs do not match"):
        verify.verify_bytes(b"graph", other, policy)


def test_the_identity_of_the_surroundings_is_used(deployment, monkeypatch):
    import sigstore.oidc

    config, policy = deployment
    monkeypatch.setattr(sigstore.oidc, "detect_credential", pki.token)
    verify.verify_bytes(b"graph", sign.sign(b"graph", trust_config=config), policy)
    monkeypatch.setattr(sigstore.oidc, "detect_credential", lambda: None)
    with pytest.raises(UsageError, match="the surroundings offer none"):
        sign.sign(b"graph", trust_config=config)


@pytest.mark.parametrize("token", ["no token", "expired", "audience"])
def test_a_bad_token_is_refused(deployment, token):
    made = {"expired": lambda: pki.token(lifetime=-600), "audience": lambda: pki.token(audience="other")}
    with pytest.raises(RunError, match="Signing failed: IdentityError"):
        sign.sign(b"graph", identity_token=made.get(token, lambda: token)(), trust_config=deployment[0])


def test_a_certificate_that_no_log_knows_is_refused(deployment, tmp_path):
    """The services are another deployment's than the configuration says."""
    config, _ = deployment
    content = json.loads(config.read_text())
    content["trustedRoot"] = pki.Pki().trusted_root()
    config.write_text(json.dumps(content))
    with pytest.raises(RunError, match="Signing failed: VerificationError"):
        sign.sign(b"graph", identity_token=pki.token(), trust_config=config)


def test_services_that_cannot_be_reached_are_an_error(tmp_path):
    config = tmp_path / "config.json"
    for content in ("{", json.dumps(pki.Pki().trust_config("http://127.0.0.1:9"))):
        config.write_text(content)
        with pytest.raises(RunError, match="Signing failed") as caught:
            sign.sign(b"graph", identity_token=pki.token(), trust_config=config)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("content", "words"), [(None, "No such file"), (b"\xff", "codec can't decode")])
def test_a_trust_configuration_that_cannot_be_read(tmp_path, content, words):
    config = tmp_path / "config.json"
    if content is not None:
        config.write_bytes(content)
    with pytest.raises(UsageError, match=rf"The trust configuration \S+config\.json cannot be read: .*{words}"):
        sign.sign(b"graph", identity_token=pki.token(), trust_config=config)


def test_by_default_the_public_deployment_signs(monkeypatch):
    from sigstore.models import ClientTrustConfig

    def refuse():
        raise ConnectionError("no network in tests")

    monkeypatch.setattr(ClientTrustConfig, "production", refuse)
    with pytest.raises(RunError, match="ConnectionError: no network in tests"):
        sign.sign(b"graph", identity_token=pki.token())


def test_without_the_package_nothing_is_signed(monkeypatch):
    monkeypatch.setitem(sys.modules, "sigstore.sign", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinyvmaf\[verify\]'"):
        sign.sign(b"graph", identity_token=pki.token())
