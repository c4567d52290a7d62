"""A web application that knows nothing of Lambda, for the web adapter to stand in front of.

GET and POST of any path are answered with what was asked, as JSON; a few paths do something else:
/events gives back the body, /large?n=N answers N bytes, /drip?gate=FILE sends its second half when
the file is there, /leave?code=N ends the process. SIGTERM ends it, too, after a last line.
"""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def leave(signal_number, frame):
    print("web: closing", flush=True)
    sys.exit(0)


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if url.path == "/leave":
            os._exit(int(query["code"]))
        if url.path == "/events":
            print(f"web: event {body.decode()}", flush=True)
            return self.answer(200, "application/json", body)
        if url.path == "/large":
            return self.answer(200, "text/plain", b"x" * int(query["n"]))
        if url.path == "/drip":
            return self.drip(query["gate"])
        said = {
            "method": self.command,
            "path": url.path,
            "query": query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.decode(errors="replace") if len(body) < 1024 else len(body),
            "pid": os.getpid(),
        }
        status = 404 if url.path == "/missing" else 200
        self.answer(status, "application/json", json.dumps(said).encode())

    do_POST = do_PUT = do_DELETE = do_GET

    def drip(self, gate):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"6\r\nfirst \r\n")
        while not os.path.exists(gate):
            time.sleep(0.005)
        self.wfile.write(b"6\r\nsecond\r\n0\r\n\r\n")

    def answer(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


signal.signal(signal.SIGTERM, leave)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["AWS_LWA_PORT"])), Application).serve_forever()
