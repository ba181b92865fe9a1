"""A stand-in for the Kubernetes API server: list and watch of Nodes, over HTTPS with a token.

It speaks the protocol as the real one does, resourceVersions, pages, chunks, bookmarks and 410 included, and
does on demand what one meets in real life: goes away, forgets, answers nonsense.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import copy
import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.harness.namespace import Namespace

PAGE = 2  # nodes in an answer, whatever the client would take: so there are pages
Object = dict[str, Any]


def certificates(folder: Path, address: str) -> None:
    """Make an authority and a certificate for *address*: ca.crt, tls.crt, tls.key. Needs the openssl program.

    The certificate has no key identifiers, as those of older clusters.
    """
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -config openssl.cnf"
    (folder / "openssl.cnf").write_text("[req]\ndistinguished_name=name\n[name]\n")
    (folder / "names").write_text(f"subjectAltName=IP:{address}\n")
    authority = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign"
    sign = "openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names"
    subprocess.run(
        f"{new} -x509 -days 2 -subj /CN=kubernetes {authority} -keyout ca.key -out ca.crt && "
        f"{new} -subj /CN=kube-apiserver -keyout tls.key -out tls.csr && {sign} -out tls.crt",
        shell=True,
        cwd=folder,
        check=True,
        capture_output=True,
    )


class ApiServer:
    """The server at *address* in a namespace, from start() to stop(), as often as one likes.

    tokens: those that it takes. garbage: what it answers instead of anything else, where not None. asked: the
    (query, status) of each request.
    """

    port = 6443

    def __init__(self, namespace: Namespace, address: str, folder: Path) -> None:
        self.namespace, self.address, self.folder = namespace, address, folder
        self.tokens = {"first"}
        self.garbage: bytes | None = None
        self.asked: list[tuple[str, int]] = []
        self.nodes: dict[str, Object] = {}
        self.events: list[tuple[int, str, Object]] = []
        self.version, self.floor = 1000, 1000
        self.changed = threading.Condition()
        self.server: _Server | None = None
        certificates(folder, address)

    def start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "tls.crt", self.folder / "tls.key")
        with self.namespace.entered():
            self.server = _Server((self.address, self.port), self, context)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Go away: nobody listens any more, and every watch is torn."""
        server, self.server = self.server, None
        if server:
            server.shutdown()
            with self.changed:
                server.is_gone = True
                self.changed.notify_all()
            server.server_close()

    def put(self, name: str, networks: list[str], addresses: list[str], **keys: Any) -> None:
        """Make a node, or change it. keys: parts of the object that are to be otherwise."""
        node = {
            "kind": "Node",
            "apiVersion": "v1",
            "metadata": {"name": name, "creationTimestamp": f"2026-01-01T00:00:{len(self.nodes):02}Z"},
            "spec": {"podCIDR": networks[0] if networks else "", "podCIDRs": networks},
            "status": {
                "addresses": [
                    {"type": "Hostname", "address": name},
                    *({"type": "InternalIP", "address": each} for each in addresses),
                ]
            },
        }
        if name in self.nodes:
            node["metadata"] = dict(self.nodes[name]["metadata"])
        self._note("MODIFIED" if name in self.nodes else "ADDED", {**node, **keys})

    def remove(self, name: str) -> None:
        self._note("DELETED", self.nodes[name])

    def bookmark(self) -> None:
        self._note("BOOKMARK", {"kind": "Node", "apiVersion": "v1", "metadata": {}})

    def forget(self) -> None:
        """Know nothing any more of what was before now, and tear every watch."""
        with self.changed:
            self.floor = self.version
            self.events.clear()
        self.stop()
        self.start()

    def _note(self, kind: str, item: Object) -> None:
        with self.changed:
            self.version += 1
            item = copy.deepcopy(item)
            item["metadata"]["resourceVersion"] = str(self.version)
            self.events.append((self.version, kind, item))
            if kind == "DELETED":
                del self.nodes[item["metadata"]["name"]]
            elif kind != "BOOKMARK":
                self.nodes[item["metadata"]["name"]] = item
            self.changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, where: tuple[str, int], api: ApiServer, context: ssl.SSLContext) -> None:
        self.api, self.context, self.is_gone = api, context, False
        super().__init__(where, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, where a handshake may wait."""
        try:
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except (OSError, ValueError):
            pass  # the client has gone, or trusts us not


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        api, url = self.server.api, urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        if api.garbage is not None:
            self._send(200, api.garbage)
        elif token not in api.tokens:
            self._refuse(401, "Unauthorized", "Unauthorized")
        elif url.path != "/api/v1/nodes":
            self._refuse(403, "Forbidden", "nodes is what one may ask for")
        elif query.get("watch") in ("1", "true"):
            self._watch(api, query)
        else:
            self._list(api, query)

    def _note(self, status: int) -> None:
        self.server.api.asked.append((urlsplit(self.path).query, status))

    def _send(self, status: int, body: bytes) -> None:
        self._note(status)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, code: int, reason: str, message: str) -> None:
        self._send(code, json.dumps(status(code, reason, message)).encode())

    def _list(self, api: ApiServer, query: dict[str, str]) -> None:
        begin = int(query.get("continue", "0"))
        with api.changed:
            names, version = sorted(api.nodes), api.version
            page = [api.nodes[name] for name in names[begin : begin + PAGE]]
        more = {"continue": str(begin + PAGE)} if begin + PAGE < len(names) else {}
        metadata = {"resourceVersion": str(version), **more}
        answer = {"kind": "NodeList", "apiVersion": "v1", "metadata": metadata, "items": page}
        self._send(200, json.dumps(answer).encode())

    def _watch(self, api: ApiServer, query: dict[str, str]) -> None:
        """Send events in chunks, each a line, until the client or we have gone."""
        self._note(200)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        known = int(query["resourceVersion"])
        if known < api.floor:
            gone = status(410, "Expired", f"too old resource version: {known} ({api.version})")
            self._chunk({"type": "ERROR", "object": gone})
            self.wfile.write(b"0\r\n\r\n")
            return
        while not self.server.is_gone:
            with api.changed:
                new = [each for each in api.events if each[0] > known]
                if not new and not self.server.is_gone:
                    api.changed.wait(0.5)
                    continue
            for version, kind, item in new:
                self._chunk({"type": kind, "object": item})
                known = version
        self.close_connection = True

    def _chunk(self, event: Object) -> None:
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")


def status(code: int, reason: str, message: str) -> Object:
    """An object of kind Status."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
