"""Certificates of the tests' own."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificate(folder: Path, name: str) -> Path:
    """A certificate for 127.0.0.1, *name*.pem in *folder*, with *name*.key beside it; returns where it is."""
    certificate = folder / f"{name}.pem"
    about = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    key = ["-nodes", "-newkey", "rsa:2048", "-keyout", str(folder / f"{name}.key"), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *about, *key], check=True, capture_output=True)
    return certificate
