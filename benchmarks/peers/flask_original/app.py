"""
A stand-in for the upload server that Tarkeep replaces: the shape that such Flask programs have.

The form is parsed by Flask (which spools the file), saved, read again in blocks of 4 KB for its MD5, and described in a
JSON file beside it. Runs in an environment of its own; its folder comes in ``BACKUP_DIR``.
"""

# mypy: ignore-errors
# Flask is installed only where this runs, so nothing here can be checked from outside.

import hashlib
import json
import os
from datetime import datetime

from flask import Flask, Response, jsonify, request

BACKUP_DIR = os.environ["BACKUP_DIR"]
TYPES = ("FULL", "INC", "DIFF")

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 4 * 1024**3

for backup_type in TYPES:
    os.makedirs(os.path.join(BACKUP_DIR, backup_type), exist_ok=True)


def md5_of(path: str) -> str:
    digest = hashlib.md5()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(4096), b""):
            digest.update(block)
    return digest.hexdigest()


@app.get("/health")
def health() -> Response:
    return jsonify({"status": "ok"})


@app.post("/upload")
def upload() -> Response | tuple[Response, int]:
    if "file" not in request.files:
        return jsonify({"error": "No file part"}), 400
    file = request.files["file"]
    backup_type = request.form.get("type", "FULL").upper()
    if backup_type not in TYPES:
        return jsonify({"error": "Invalid backup type"}), 400
    if not file.filename or not file.filename.endswith(".tar.gz"):
        return jsonify({"error": "Only .tar.gz files are allowed"}), 400
    name = os.path.basename(file.filename)
    path = os.path.join(BACKUP_DIR, backup_type, name)
    file.save(path)
    description = {
        "filename": name,
        "type": backup_type,
        "size": os.path.getsize(path),
        "md5": md5_of(path),
        "uploaded_at": datetime.now().isoformat(),
    }
    with open(path.removesuffix(".gz") + ".json", "w") as side_car:
        json.dump(description, side_car, indent=2)
    return jsonify({"status": "success", "message": "Backup uploaded", **description}), 201
