"""The Nodes of a Kubernetes API server: its list, and a watch of it, over HTTPS with a token.

Token and certificate authority are read for every request, as both are replaced while we live. What a server
answers is taken for what it may be: too long, torn, or no JSON.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import http.client
import json
import os
import random
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

NODES = "/api/v1/nodes"
PAGE = 100  # nodes in one answer; a Node may have 50 KB
ANSWER_S = 30  # to connect, and to answer anything but a watch
WATCH_S = (240, 300)  # how long the server may keep a watch open, drawn so that not all nodes come at once
LONGEST = 64 << 20  # bytes of a page or of an event
COMPLAINT = 200  # bytes of an error's text
KEEPALIVE = (  # a server that vanished is noticed within half a minute
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000),
)


class Trouble(Exception):
    """The server did not answer, or not as the API does."""


class Nonsense(Trouble):
    """What came is not of the API: nothing of it is to be built upon."""


class Expired(Trouble):
    """410 Gone: the server no longer knows what was before; the list has to be read anew."""


@dataclass(frozen=True)
class Server:
    """Where the server is, and how to speak to it. url: https://HOST:PORT."""

    url: str
    token_file: str
    ca_file: str

    def listed(self) -> tuple[list[Any], str]:
        """All Nodes, as _kept has them, and the resourceVersion from which to watch. Raises Trouble."""
        items: list[Any] = []
        query = {"limit": str(PAGE)}
        while True:
            answer = self._page(query)
            metadata, found = answer.get("metadata"), answer.get("items")
            if answer.get("kind") != "NodeList" or not isinstance(metadata, dict):
                raise Nonsense(f"the answer is no list of nodes, but {answer.get('kind')!r:.60}")
            items += [_kept(item) for item in found] if isinstance(found, list) else []
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion") or "")
            query["continue"] = str(metadata["continue"])

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        with _Answer(self, query, ANSWER_S) as answer:
            return _object(answer.read(LONGEST + 1))

    def watched(self, version: str) -> Iterator[tuple[str, Any]]:
        """(type, Node object) of each change since *version*, until the server ends it. Raises Trouble."""
        seconds = random.randint(*WATCH_S)
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        with _Answer(self, {**query, "resourceVersion": version}, seconds + ANSWER_S) as answer:
            while line := answer.readline():
                event = _object(line)
                kind, item = event.get("type"), event.get("object")
                if kind == "ERROR":
                    raise _refusal(item if isinstance(item, dict) else {})
                if kind not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK"):
                    raise Nonsense(f"an event of type {kind!r:.60}")
                yield kind, item


def _kept(item: Any) -> Any:
    """Of a Node what launcher.node.nodes reads: a list of thousands is held at once."""
    if not isinstance(item, dict):
        return item
    status = item.get("status")
    addresses = {"addresses": status.get("addresses")} if isinstance(status, dict) else status
    return {"metadata": item.get("metadata"), "spec": item.get("spec"), "status": addresses}


class _Answer:
    """One request; as a context manager its answer's body, which must have status 200. Raises Trouble."""

    def __init__(self, server: Server, query: dict[str, str], timeout_s: float) -> None:
        try:
            with open(server.token_file, encoding="ascii") as file:
                token = file.read().strip()
            context = ssl.create_default_context(cafile=server.ca_file)
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # key identifiers, which older clusters lack
            where = urlsplit(server.url)
            self.connection = http.client.HTTPSConnection(
                where.hostname or "", where.port, timeout=timeout_s, context=context
            )
        except (OSError, ValueError) as error:
            raise Trouble(f"the service account cannot be used: {error}") from None
        self.path = f"{NODES}?{urlencode(query)}"
        self.headers = {"Accept": "application/json", "User-Agent": "cniwire"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> "_Answer":
        try:
            self.connection.connect()
            for level, option, value in KEEPALIVE:
                self.connection.sock.setsockopt(level, option, value)
            self.connection.request("GET", self.path, headers=self.headers)
            self.response = self.connection.getresponse()
            if self.response.status != http.client.OK:
                raise _complaint(self.response.status, self.response.read(LONGEST))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.connection.close()
            raise Trouble(_told(error)) from None
        except Trouble:
            self.connection.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def read(self, most: int) -> bytes:
        """The body. Raises Trouble."""
        try:
            return self.response.read(most)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Trouble(_told(error)) from None

    def readline(self) -> bytes:
        """The next line, b"" at the end. Raises Trouble."""
        try:
            line = self.response.readline(LONGEST + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Trouble(_told(error)) from None
        if line and not line.endswith(b"\n"):
            raise Nonsense("an event is torn, or too long")
        return line


def _told(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    text = getattr(error, "strerror", None) or str(error)
    return text if text and isinstance(error, OSError) else f"{type(error).__name__} {text}".strip()


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises Trouble."""
    try:
        found = json.loads(data) if len(data) <= LONGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Nonsense(f"the answer is no JSON object: {data[:40]!r}")
    return found


def _complaint(status: int, body: bytes) -> Trouble:
    """What an answer other than 200 means."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = {}
    return _refusal({**(found if isinstance(found, dict) else {}), "code": status})


def _refusal(status: dict[str, Any]) -> Trouble:
    """A Status object of the API as an error."""
    code, said = status.get("code"), str(status.get("message") or status.get("reason") or "")[:COMPLAINT]
    text = f"{code} {said}".strip()
    return Expired(text) if code == http.client.GONE else Trouble(f"it answers {text}")


def in_cluster() -> str:
    """The URL that Kubernetes tells every container, "" outside of a cluster."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        return ""
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
