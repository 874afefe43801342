"""JSON Web Tokens, signed with ECDSA P-256 (ES256): what service account tokens are.

Only what wherry itself issues and checks; the algorithm is fixed, so none can be smuggled in.
RFC 7515, RFC 7519, RFC 7518 section 3.4.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_SIZE = 32  # bytes of r and of s


class BadToken(ValueError):
    """Not a token of ours."""


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Signer:
    """Signs and verifies with one key.  `key_id` names it in the header and in the JWKS."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        from cryptography.hazmat.primitives.hashes import SHA256, Hash
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = key
        self._public = key.public_key()
        digest = Hash(SHA256())
        digest.update(self._public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        self.key_id = _b64(digest.finalize())
        self._header = _b64(msgspec.json.encode({"alg": "ES256", "kid": self.key_id}))

    def sign(self, claims: dict[str, Any]) -> str:
        """The compact form of a signed token."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        text = f"{self._header}.{_b64(msgspec.json.encode(claims))}"
        r, s = decode_dss_signature(self._key.sign(text.encode(), ECDSA(SHA256())))
        return f"{text}.{_b64(r.to_bytes(_SIZE, 'big') + s.to_bytes(_SIZE, 'big'))}"

    def verify(self, token: str) -> dict[str, Any]:
        """The claims.  Raises BadToken when the signature, the key or the form is wrong; times are not looked at."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            header, payload, signature = token.split(".")
            if header != self._header:
                raise BadToken("signed by another key or algorithm")
            raw = _unb64(signature)
            if len(raw) != 2 * _SIZE:
                raise BadToken("malformed signature")
            der = encode_dss_signature(int.from_bytes(raw[:_SIZE], "big"), int.from_bytes(raw[_SIZE:], "big"))
            self._public.verify(der, f"{header}.{payload}".encode(), ECDSA(SHA256()))
            claims = msgspec.json.decode(_unb64(payload))
        except (ValueError, binascii.Error, InvalidSignature, msgspec.MsgspecError) as error:
            raise BadToken(str(error) or "invalid signature") from None
        if not isinstance(claims, dict):
            raise BadToken("claims are no object")
        return claims

    def jwks(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set (`/openid/v1/jwks`)."""
        numbers = self._public.public_numbers()
        key = {"use": "sig", "kty": "EC", "kid": self.key_id, "crv": "P-256", "alg": "ES256",
               "x": _b64(numbers.x.to_bytes(_SIZE, "big")), "y": _b64(numbers.y.to_bytes(_SIZE, "big"))}
        return {"keys": [key]}
