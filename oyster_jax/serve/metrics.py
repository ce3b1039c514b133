"""What a server counts and measures of itself, in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MILLISECONDS = (0.001, 0.002, 0.004, 0.008, 0.012, 0.016, 0.024, 0.033, 0.05, 0.066, 0.1, 0.2, 0.5, 1.0)


class Metrics:
    """All metrics of one server; every attribute is one of them, with its name and meaning."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"oyster_{name}", about, labels, registry=registry)

        def gauge(name: str, about: str, *labels: str) -> Gauge:
            return Gauge(f"oyster_{name}", about, labels, registry=registry)

        def seconds(name: str, about: str) -> Histogram:
            return Histogram(f"oyster_{name}_seconds", about, buckets=_MILLISECONDS, registry=registry)

        self.ticks = counter("ticks", "Ticks of all sessions.", "world")
        self.late = counter("late_ticks", "Ticks that were not done when the next one was due.", "world")
        self.step = seconds("step", "Time from the beginning of a tick to its frame on the host.")
        self.batch = Histogram(
            "oyster_batch_size", "Worlds stepped by one call.", buckets=(1, 2, 4, 8, 16), registry=registry
        )
        self.waited = seconds("input_wait", "Time that an input waited for its tick.")
        self.encode = seconds("encode", "Time to encode a picture.")
        self.round_trip = seconds("round_trip", "Time from sending a frame to its acknowledgement.")
        self.frames = counter("frames", "Frames that were sent.", "codec")
        self.frame_bytes = counter("frame_bytes", "Bytes of frames that were sent.", "codec")
        self.dropped = counter("dropped_frames", "Frames that were left out because a client was behind.")
        self.open = gauge("open_sessions", "Sessions in memory.")
        self.running = gauge("running_sessions", "Sessions that tick.")
        self.streams = gauge("streams", "Connected clients.", "role")
        self.lag = gauge("log_lag_ticks", "Ticks of the session that is furthest behind, not yet on the disk.")
        self.load = gauge("load", "Share of the time that ticks are expected to take, 1 being all of it.")
        self.disk = gauge("disk_bytes", "Bytes of all sessions, recordings and uploads, as last counted.")
        self.requests = counter("requests", "REST requests.", "method", "status")
        self.refused = counter("refused", "What was refused: requests, messages, streams.", "reason")

    def text(self) -> bytes:
        """Returns all of them as Prometheus reads them."""
        return generate_latest(self.registry)
