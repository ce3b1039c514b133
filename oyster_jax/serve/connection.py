"""A connection to the server that does not wait for ever."""

from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds that a request's first lines may take to arrive.
PATIENCE = 10.0


class PatientConnection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, but a client that is slow to say what it wants is let go."""

    def connection_made(self, transport: Any) -> None:
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def on_response_complete(self) -> None:
        """Begins to wait for the next one."""
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        self.loop.call_later(PATIENCE, self._let_go, self.cycle)

    def _let_go(self, before: Any) -> None:
        # A socket that has become a stream has another protocol by now.
        if self.cycle is before and not self.transport.is_closing() and self.transport.get_protocol() is self:
            self.transport.close()
