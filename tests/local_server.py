"""A web server on this machine that serves bytes from memory, with ranges, and misbehaves on request."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LocalServer:
    """``files``: path -> bytes; ``breaks``: path -> after how many bytes each of the next answers ends."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.breaks: dict[str, list[int]] = {}
        self.ranges = True
        self.requests: list[tuple[str, str, str | None]] = []
        self.url = ""


@contextmanager
def local_server():
    state = LocalServer()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self._answer(body=False)

        def do_GET(self):
            self._answer(body=True)

        def _answer(self, body):
            state.requests.append((self.command, self.path, self.headers.get("Range")))
            if self.path not in state.files:
                return self.send_error(404)
            content, begin = state.files[self.path], 0
            wanted = self.headers.get("Range")
            if wanted and state.ranges:
                begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if begin >= len(content):
                    return self.send_error(416)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            if body:
                end = len(content)
                if state.breaks.get(self.path):
                    end = begin + state.breaks[self.path].pop(0)
                self.wfile.write(content[begin:end])
                self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
