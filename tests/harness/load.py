"""A stream of bytes between two namespaces, how fast it gets through, and how long others wait meanwhile."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

from tests.harness.namespace import Namespace

PORT = 5001
CHUNK = bytes(1 << 16)
PAUSE_S = 0.02


class Stream:
    """A TCP stream at full speed, as its receiver sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = 0

    def take(self, most_bytes: float = float("inf"), seconds: float = float("inf")) -> float:
        """Receive until so many bytes have come, or so much time is over; returns bytes per second."""
        start, before = time.monotonic(), self.received
        while self.received - before < most_bytes and time.monotonic() - start < seconds:
            data = self.connection.recv(len(CHUNK))
            assert data, "the stream has ended"
            self.received += len(data)
        return (self.received - before) / (time.monotonic() - start)


@contextmanager
def stream(sender: Namespace, receiver: Namespace, address: str, port: int = PORT) -> Iterator[Stream]:
    """Send to *address* in *receiver*, until left."""
    with receiver.entered(), socket.create_server((address, port)) as listener:
        listener.settimeout(10)

        def send() -> None:
            with sender.entered():
                client = socket.create_connection((address, port), timeout=10)
            with client:
                try:
                    while True:
                        client.sendall(CHUNK)
                except OSError:
                    return  # the receiver has left

        thread = Thread(target=send)
        thread.start()
        connection, _ = listener.accept()
        connection.settimeout(10)
        try:
            yield Stream(connection)
        finally:
            connection.close()
            thread.join()


@contextmanager
def draining(running: Stream) -> Iterator[None]:
    """Receive in the background."""
    over = Event()

    def receive() -> None:
        while not over.is_set():
            running.take(seconds=PAUSE_S)

    thread = Thread(target=receive)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def crowd(sender: Namespace, receiver: Namespace, address: str, streams: int) -> Iterator[list[Stream]]:
    """Several streams at once, received in the background."""
    with ExitStack() as stack:
        made = [
            stack.enter_context(stream(sender, receiver, address, PORT + number)) for number in range(streams)
        ]
        for running in made:
            stack.enter_context(draining(running))
        yield made


def waits(sender: Namespace, receiver: Namespace, address: str, seconds: float) -> list[float]:
    """Seconds that each of a row of small datagrams needs there and back, sorted; inf for a lost one."""
    with receiver.entered():
        echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        echo.bind((address, PORT))
    with sender.entered():
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        probe.connect((address, PORT))
    over = Event()
    sent: dict[int, float] = {}
    came: dict[int, float] = {}

    def answer() -> None:
        while not over.is_set():
            try:
                data, whose = echo.recvfrom(100)
                echo.sendto(data, whose)
            except TimeoutError:
                continue

    def collect() -> None:
        while not over.is_set():
            try:
                number = int(probe.recv(100))
                came[number] = time.monotonic() - sent[number]
            except TimeoutError:
                continue

    for each in (echo, probe):
        each.settimeout(PAUSE_S)
    threads = [Thread(target=answer), Thread(target=collect)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sent[len(sent)] = time.monotonic()
        probe.send(str(len(sent) - 1).encode())
        time.sleep(PAUSE_S)
    patience = time.monotonic() + seconds
    while len(came) < len(sent) and time.monotonic() < patience:
        time.sleep(PAUSE_S)
    over.set()
    for thread in threads:
        thread.join()
    echo.close()
    probe.close()
    return sorted(came.get(number, float("inf")) for number in sent)
