"""Sockets: listening, and the connections that come."""

from __future__ import annotations

import selectors
import socket
import socketserver
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .exchange import Exchange, Site
from .wire import BodyTruncated, Cut

_SILENCE_S = 300.0  # until a connection on which nothing comes is closed


class Listener(ThreadingHTTPServer):
    """Listens, and gives each connection a thread."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    timeout = 0  # of `handle_request`, which is called when there is one

    def __init__(self, address: tuple[str, int], site: Site) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.site = site
        self._told_to_stop, self._tell = socket.socketpair()
        self._open: set[object] = set()
        self._lock = threading.Lock()
        super().__init__(address, Connection)

    def server_bind(self) -> None:
        """Takes the address, without HTTPServer's search for the host's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def serve(self) -> None:
        """Takes connections until it is told to stop; the loop of the standard library would have to look for that."""
        with selectors.DefaultSelector() as selector:
            for source in (self.socket, self._told_to_stop):
                selector.register(source, selectors.EVENT_READ)
            while not any(key.fileobj is self._told_to_stop for key, _ in selector.select()):
                self.handle_request()

    def stop(self) -> None:
        """Ends :meth:`serve`."""
        self._tell.send(b".")

    def server_close(self) -> None:
        """Gives the address back."""
        super().server_close()
        self._told_to_stop.close()
        self._tell.close()

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Remembers a connection and answers it in a thread."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Ends a connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """Ends every connection that is open."""
        with self._lock:
            for connection in self._open:
                assert isinstance(connection, socket.socket)
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it is gone already

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Keeps the traceback for whoever runs the server."""
        self.site.failures.append(traceback.format_exc())


class Connection(BaseHTTPRequestHandler):
    """A connection, and the requests that come on it one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    timeout = _SILENCE_S
    server: Listener

    def handle(self) -> None:
        """Answers until the client goes, or until a fault drops it."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError, BodyTruncated, Cut):
            self.close_connection = True

    def handle_one_request(self) -> None:
        """Reads the head of a request and answers it, whatever its method."""
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if len(self.raw_requestline) > 65_536:
            self.requestline = self.request_version = self.command = ""
            self.send_error(414)
            return
        if self.parse_request():
            Exchange(self, self.server.site).run()

    def log_message(self, *arguments: object) -> None:
        """Says nothing; the server has its log of calls."""
