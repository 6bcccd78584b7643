"""Relays between Miroir and its nodes: a test sees what is said to a node, holds it up, says it twice, or changes what is answered."""
import dataclasses, http.client, http.server, json, threading

from cluster import Cluster


@dataclasses.dataclass
class Request:
    node: object
    method: str
    path: str
    headers: dict
    body: bytes

    @property
    def json(self): return json.loads(self.body)


@dataclasses.dataclass
class Answer:
    status: int
    headers: list
    body: bytes

    @property
    def json(self): return json.loads(self.body)


class Relay(http.server.ThreadingHTTPServer):
    """Stands before a node. `between` is asked for the answer to each request, and given what sends one to the node."""

    def __init__(self, node, between):
        super().__init__(("127.0.0.1", 0), Relayed)
        self.node, self.between = node, between
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self): return f"http://127.0.0.1:{self.server_port}"

    def stop(self):
        self.shutdown()
        self.server_close()


class Relayed(http.server.BaseHTTPRequestHandler):
    """A connection."""
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def send(self, request):
        self.to_node.request(request.method, request.path, request.body, request.headers)
        answer = self.to_node.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())

    def relay(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name != "Content-Length"}  # a test may change the body
        request = Request(self.server.node, self.command, self.path, headers, body)
        try: answer = self.server.between(request, self.send)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"): self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay

    def setup(self):
        super().setup()
        self.to_node = http.client.HTTPConnection("127.0.0.1", self.server.node.port)

    def finish(self):
        self.to_node.close()
        super().finish()

    def handle(self):
        try: super().handle()
        except OSError: pass  # Miroir is gone

    def log_message(self, *_): pass


class RelayedCluster(Cluster):
    """A relay before every node. Until a test says otherwise they hand on what comes."""

    def between(self, request, send): return send(request)

    def configure(self):
        self.relays = [Relay(node, lambda *what: self.between(*what)) for node in self.nodes]
        self.addresses = {relay.node.name: relay.address for relay in self.relays}
        super().configure()

    def stop(self):
        super().stop()
        for relay in getattr(self, "relays", []): relay.stop()
