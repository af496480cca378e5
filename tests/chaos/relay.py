"""A TCP relay that can be pointed elsewhere, and that can lose what it carries."""

import contextlib
import socket
import threading

from harness import free_port


class Relay:
    """Forwards connections to `target` (a port on loopback). While `deaf` is set, what the target
    says is read and thrown away: it believes that it was heard, which no stopped process does."""

    def __init__(self, target):
        self.target = target
        self.deaf = False
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.lock = threading.Lock()
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def switch(self, target):
        """To another target: what is open breaks."""
        with self.lock:
            self.target = target
            broken, self.open = self.open, set()
        for side in broken:
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                try:
                    self._join(near)
                except OSError:
                    near.close()

    def _join(self, near):
        with self.lock:
            far = socket.create_connection(("127.0.0.1", self.target), 5)
            far.settimeout(None)
            self.open |= {near, far}
        for source, sink, is_answer in ((near, far, False), (far, near, True)):
            threading.Thread(target=self._carry, args=(source, sink, is_answer),
                             daemon=True).start()

    def _carry(self, source, sink, is_answer):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not (is_answer and self.deaf):
                    sink.sendall(data)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        with self.lock:
            self.open -= {source, sink}
        source.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.switch(0)
