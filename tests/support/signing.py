"""Shops' own signing keys, and the JWKS they would publish."""

import json
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Signer:
    """A private key with its id."""

    alg: str
    kid: str | None
    key: PrivateKey

    @property
    def jwk(self) -> dict[str, Any]:
        """Its public half."""
        made = _jwk(self.key.public_key())
        return made if self.kid is None else {**made, "kid": self.kid}

    @property
    def private_jwk(self) -> dict[str, Any]:
        """What must never be published."""
        return _jwk(self.key)

    def token(self, claims: dict[str, Any], **header: Any) -> str:
        """Sign claims; `header` adds to or replaces `kid`."""
        headers = {**({} if self.kid is None else {"kid": self.kid}), **header}
        return jwt.encode(claims, self.key, algorithm=self.alg, headers=headers)


def _jwk(key: Any) -> dict[str, Any]:
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        text: str = ECAlgorithm.to_jwk(key)
    elif isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        text = RSAAlgorithm.to_jwk(key)
    else:
        text = OKPAlgorithm.to_jwk(key)
    made: dict[str, Any] = json.loads(text)
    return made


def es256(kid: str | None = "k1") -> Signer:
    """Make a P-256 key."""
    return Signer("ES256", kid, ec.generate_private_key(ec.SECP256R1()))


def eddsa(kid: str | None = "k1") -> Signer:
    """Make an Ed25519 key."""
    return Signer("EdDSA", kid, ed25519.Ed25519PrivateKey.generate())


def p384(kid: str = "k1") -> Signer:
    """Make a key of a curve that is not taken."""
    return Signer("ES384", kid, ec.generate_private_key(ec.SECP384R1()))


def rs256(kid: str = "k1") -> Signer:
    """Make a key of a kind that is not taken."""
    return Signer("RS256", kid, rsa.generate_private_key(65537, 2048))


def jwks(*signers: Signer) -> dict[str, Any]:
    """Return what a shop publishes."""
    return {"keys": [signer.jwk for signer in signers]}
