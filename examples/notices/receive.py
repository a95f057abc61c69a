#!/usr/bin/env python3
"""Take notices of Tarkeep on a port of this machine, check their signatures, and print a line for each.

Usage: receive.py PORT SECRET_FILE
"""

import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

OLDEST_SECONDS = 300


class Receiver(BaseHTTPRequestHandler):
    secret = b""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.is_genuine(body):
            self.send_error(403)
            return
        told = json.loads(body)
        print(f"{told['kind']}: {told['title']}", flush=True)
        self.send_response(204)
        self.end_headers()

    def is_genuine(self, body: bytes) -> bool:
        """Whether whoever knows the secret sent this, and lately."""
        at = self.headers.get("Tarkeep-Time", "")
        signed = hmac.new(self.secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        is_right = hmac.compare_digest(f"sha256={signed}", self.headers.get("Tarkeep-Signature", ""))
        return is_right and at.isdecimal() and abs(time.time() - int(at)) < OLDEST_SECONDS

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep standard error quiet."""


if __name__ == "__main__":
    Receiver.secret = Path(sys.argv[2]).read_bytes().strip()
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
