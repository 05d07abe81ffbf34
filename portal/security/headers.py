"""Headers of every answer: what browsers may load, keep and show where."""

from __future__ import annotations

from portal.settings import PortalSettings

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def security_headers(own: PortalSettings) -> dict[str, str]:
    """Name → value. Behind TLS browsers are told to come by nothing else for a year."""
    headers = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "x-robots-tag": "noindex",
    }
    if own.is_secure:
        headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    return headers
