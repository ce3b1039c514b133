"""A slow link: a proxy that passes bytes on after a delay, and so many a second."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

#: Bytes that a queue in the network holds; who sends more waits.
_QUEUE = 64 << 10


@contextlib.contextmanager
def slow_link(port: int, *, delay: float, rate: float) -> Iterator[int]:
    """Yields a port that leads to `port`, over a link of `delay` seconds each way and `rate` bits a second."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as sockets:
        thread = threading.Thread(target=_accept, args=(listener, port, delay, rate, sockets), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(listener: socket.socket, port: int, delay: float, rate: float, sockets: contextlib.ExitStack) -> None:
    with contextlib.suppress(OSError):
        while True:
            near = sockets.enter_context(listener.accept()[0])
            far = sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
            for one, other in ((near, far), (far, near)):
                # Else the system's own buffers would be the link.
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
                threading.Thread(target=_pass, args=(one, other, delay, rate), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket, delay: float, rate: float) -> None:
    queue: list[tuple[float, bytes]] = []
    changed, done = threading.Condition(), threading.Event()

    def deliver() -> None:
        with contextlib.suppress(OSError):
            while True:
                with changed:
                    changed.wait_for(lambda: queue or done.is_set())
                    if not queue:
                        break
                    due, data = queue.pop(0)
                    changed.notify_all()
                time.sleep(max(0.0, due - time.monotonic()))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    threading.Thread(target=deliver, daemon=True).start()
    free = time.monotonic()
    with contextlib.suppress(OSError):
        while data := source.recv(1_400):
            now = time.monotonic()
            free = max(free, now) + 8 * len(data) / rate
            with changed:
                queue.append((free + delay, data))
                changed.notify_all()
                changed.wait_for(lambda: sum(len(data) for _, data in queue) < _QUEUE)
    with changed:
        done.set()
        changed.notify_all()
