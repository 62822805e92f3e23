"""Live report during runs: one page, served on this machine only, that follows changes below the folder of runs.

It answers GET at three kinds of address: the page, its data, and pictures named in the data. An address is looked up
and never converted into a path; nothing can be written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from neurobench.report.html import as_json, assembled, contents
from neurobench.report.published import Tables
from neurobench.report.summary import MIME
from neurobench.storage.store import Entry, read_index

LOOPBACK = "127.0.0.1"
FRESH = 1.0  # seconds for which an answer is reused: many open pages cost no more than one
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass
class LiveReport:
    """Current data of the page, computed anew if the files of a run have changed."""

    tables: Tables
    outputs: Path
    detailed: int
    pictures: dict[str, Path] = field(default_factory=dict)  # by address; no other file is ever sent
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looked: float = float("-inf")
    _state: str = ""
    _data: dict[str, Any] = field(default_factory=dict)

    def now(self) -> tuple[dict[str, Any], str]:
        """Return the data and a tag that changes with them."""
        with self._lock:
            if time.monotonic() - self._looked > FRESH:
                entries = read_index(self.outputs)
                state = self._stamp(entries)
                if state != self._state:
                    self._data = contents(self.tables, self.outputs, entries, self.detailed, self._address)
                    self._state = state
                self._looked = time.monotonic()
            return self._data, self._state

    def _stamp(self, entries: list[Entry]) -> str:
        """Digest of the status of every run, and of the epochs of the running ones."""
        seen = [(entry.path, entry.status(self.outputs), entry.record.get("started")) for entry in entries]
        going = [self.outputs / path / "metrics.jsonl" for path, status, _ in seen if status == "running"]
        sizes = [path.stat().st_size for path in going if path.is_file()]
        return hashlib.sha256(json.dumps([seen, sizes]).encode()).hexdigest()[:16]

    def _address(self, picture: Path) -> str:
        address = "/picture/" + hashlib.sha256(str(picture).encode()).hexdigest()[:20]
        self.pictures[address] = picture
        return address


def server(report: LiveReport, port: int) -> ThreadingHTTPServer:
    """Server bound to the loopback address; port 0 selects a free port. Raises OSError if the port is in use."""

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # the reader has left: no matter for the terminal
                super().handle()

        def do_GET(self) -> None:
            host = self.headers.get("Host", "")
            if host.partition(":")[0] not in (LOOPBACK, "localhost"):  # a foreign name that resolves to this address
                self.send_error(HTTPStatus.FORBIDDEN)
            elif self.path == "/":
                self._answer(assembled(report.now()[0], live=True).encode(), "text/html; charset=utf-8")
            elif self.path == "/data.json":
                data, state = report.now()
                known = self.headers.get("If-None-Match") == f'"{state}"'
                self._answer(b"" if known else as_json(data).encode(), "application/json", state, known)
            elif picture := report.pictures.get(self.path):
                try:
                    self._answer(picture.read_bytes(), MIME[picture.suffix])
                except OSError:
                    self.send_error(HTTPStatus.NOT_FOUND)
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _answer(self, content: bytes, kind: str, state: str = "", known: bool = False) -> None:
            self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
            lines = {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}
            for name, value in (lines | ({"ETag": f'"{state}"'} if state else {})).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing: requests are of no interest on the terminal."""

    return ThreadingHTTPServer((LOOPBACK, port), Handler)
