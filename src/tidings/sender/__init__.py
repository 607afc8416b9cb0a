"""HTTP(S) out, guarded: the Sender port over libcurl (mechanics S1 to S3).

A send goes: `headers` checks what is sent, `lookups` asks DNS within the account's share, `guard`
judges every address, `exchange` is one POST on one handle, `transfers` runs the handles on the
event loop. `curl.CurlSender` is the way through them.
"""

from __future__ import annotations

from tidings.sender.curl import CurlSender

__all__ = ["CurlSender"]
