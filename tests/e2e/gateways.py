"""Real gateways with the files of deploy/examples, between a client and an upstream that tells what it was sent."""
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import threading

import httpx
import pytest

from service import PATIENCE_S, ROOT, free_port, wait_until

EXAMPLES = ROOT / "deploy" / "examples"
# Where tests/e2e/setup unpacks them; nothing of theirs is installed on the machine.
UNPACKED = ROOT / "build-gateways" / "bin"

NGINX = """\
daemon off; worker_processes 1; pid {directory}/pid; error_log stderr; {user}
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    include {example};
}}
"""


class Upstream:
    """Answers every request with the request, as JSON, and remembers it."""

    def __init__(self):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

            def body(self):
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                whole = b""
                while size := int(self.rfile.readline(), 16):
                    whole += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return whole

            def answer(self):
                told = {"method": self.command, "path": self.path, "body": self.body().decode(),
                        "headers": [[name.lower(), value] for name, value in self.headers.items()]}
                seen.append(told)
                text = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Gateway:
    """One gateway's process; its example is used as it is, but for its ports and the path of the certificate."""

    def __init__(self, name, directory, service, upstream):
        self.name = name
        self.directory = pathlib.Path(directory)
        self.upstream = upstream
        self.port = free_port()
        self.binary = self._find()
        self.places = {"127.0.0.1:8080": f"127.0.0.1:{self.port}", "127.0.0.1:9000": f"127.0.0.1:{upstream.port}",
                       "127.0.0.1:8443": f"127.0.0.1:{service.port}", "/etc/doorward/tls.crt": str(service.certificate)}
        if name == "envoy":
            for port in ("8080", "9000", "8443"):
                old, new = f"127.0.0.1:{port}", self.places.pop(f"127.0.0.1:{port}")
                split = "address: {}, port_value: {}"
                self.places[split.format(*old.split(":"))] = split.format(*new.split(":"))
        self.process = None

    def _find(self):
        unpacked = UNPACKED / self.name
        found = str(unpacked) if unpacked.exists() else shutil.which(self.name)
        if not found:
            pytest.skip(f"{self.name} is not here; `./dev setup test` brings it where its package can be had")
        return found

    def _write(self, name, text):
        (self.directory / name).write_text(text)
        return str(self.directory / name)

    def _example(self, name):
        text = (EXAMPLES / name).read_text()
        # Comments hold commands for people, with the same places.
        for old, new in self.places.items():
            assert any(old in line for line in text.splitlines() if not line.lstrip().startswith("#")) or \
                (self.name, old) == ("traefik", "127.0.0.1:8080"), f"{name} has no {old}"
            text = text.replace(old, new)
        if self.name == "caddy":
            text = text.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{self.port}")
        return self._write(f"example-{name}", text)  # as "traefik.yaml" here it would be a static configuration

    def command(self):
        if self.name == "nginx":
            user = "user root root;" if os.getuid() == 0 else ""
            main = NGINX.format(directory=self.directory, example=self._example("nginx.conf"), user=user)
            return [self.binary, "-p", str(self.directory), "-e", "stderr", "-c", self._write("main.conf", main)]
        if self.name == "caddy":
            return [self.binary, "run", "--config", self._example("Caddyfile"), "--adapter", "caddyfile"]
        if self.name == "traefik":
            return [self.binary, f"--entryPoints.web.address=127.0.0.1:{self.port}", "--global.checkNewVersion=false",
                    "--global.sendAnonymousUsage=false", f"--providers.file.filename={self._example('traefik.yaml')}"]
        return [self.binary, "-c", self._example("envoy.yaml"), "--concurrency", "1", "--disable-hot-restart",
                "--log-level", "warning"]

    def start(self):
        log = self.directory / "log"
        home = {"HOME": str(self.directory), "XDG_DATA_HOME": str(self.directory), "XDG_CONFIG_HOME": str(self.directory)}
        with open(log, "wb") as output:
            self.process = subprocess.Popen(self.command(), cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, env={"PATH": os.environ["PATH"], **home})

        def answers():
            assert self.process.poll() is None, log.read_text()
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"http://127.0.0.1:{self.port}/").status_code == 401
        wait_until(answers, f"{self.name}'s readiness")
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def ask(self, method="GET", path="/", **request):
        """The gateway's answer, and what the upstream saw of it: None when it was not reached."""
        before = len(self.upstream.seen)
        with httpx.Client(timeout=PATIENCE_S) as client:
            answer = client.request(method, f"http://127.0.0.1:{self.port}{path}", **request)
        seen = self.upstream.seen[before:]
        assert len(seen) <= 1
        return answer, seen[0] if seen else None
