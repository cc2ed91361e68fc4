"""Real servers for tests: S3 (moto, as a process) and the web (Python's own, as a thread), each on a free port."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def s3_server() -> Iterator[str]:
    """Where an empty S3 answers."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        for line in process.stderr:
            if found := re.search(r"Running on (http://\S+)", line):
                # Else it would wait, once nobody reads what it says of each request.
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield found[1]
                break
        else:
            raise AssertionError("moto did not start")
    finally:
        process.terminate()
        process.wait()


@dataclass
class Page:
    """What a web server has under a path. `tells` are the headers that it sends: `ETag`, `Last-Modified`."""

    body: bytes
    tells: tuple[str, ...] = ("ETag",)
    modified: str = "Mon, 06 Apr 2026 10:00:00 GMT"
    status: int = 200
    weak: bool = False
    after: Callable[[], None] = lambda: None
    """Is called when the body was sent."""

    def headers(self) -> Iterator[tuple[str, str]]:
        if "ETag" in self.tells:
            yield "ETag", f'{"W/" if self.weak else ""}"{"same" if self.weak else hashlib.md5(self.body).hexdigest()}"'
        if "Last-Modified" in self.tells:
            yield "Last-Modified", self.modified


@dataclass
class Web:
    """A web server: its address, its pages by path, and the requests that it was sent (method and path)."""

    url: str = ""
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)


@contextmanager
def web_server() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_PUT(self) -> None:
            web.pages[self.path].body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def _answer(self, *, with_body: bool) -> None:
            web.requests.append(f"{self.command} {self.path}")
            page = web.pages.get(self.path, Page(b"nothing is here", status=404))
            body = page.body
            self.send_response(page.status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in page.headers() if page.status == 200 else ():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)
                page.after()

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        web.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
