"""An endpoint as a vendor's tutorial teaches it, and nothing more: plain Flask, no signature, no
memory of what it has had. Run by `flask --app`; what it is sent it writes down in its own folder.
"""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask, Response, jsonify, request

RECEIVED = Path("received.jsonl")

app = Flask(__name__)


@app.route("/my-sheet-webhook", methods=["POST"])
def receive() -> Response:
    """Answer a challenge by its header, and take the events of everything else."""
    challenge = request.headers.get("Smartsheet-Hook-Challenge")
    if challenge is not None:
        answer = jsonify({"message": "challenge accepted"})
        answer.headers["Smartsheet-Hook-Response"] = challenge
        return answer
    payload = request.json
    with RECEIVED.open("a") as file:
        file.write(json.dumps(payload["events"]) + "\n")
    return jsonify({"message": "processed"})
