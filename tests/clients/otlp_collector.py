"""A collector of traces: takes OTLP over HTTP with OpenTelemetry's own messages, and tells what it has got.

Started with the port to listen on (0: a free one); prints the port. `POST /answers` takes the statuses of the next
answers, as a JSON list; `GET /spans` returns all spans that were taken, `GET /requests` the headers of all requests.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

lock = threading.Lock()
spans, requests, answers = [], [], []


def plain(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(one) for one in value.array_value.values]
    return getattr(value, kind)


def attributes(of):
    return {one.key: plain(one.value) for one in of}


def taken(message):
    for of_resource in message.resource_spans:
        resource = attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield {
                    "resource": resource,
                    "scope": of_scope.scope.name,
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind),
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "parent_span_id": span.parent_span_id.hex(),
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "attributes": attributes(span.attributes),
                    "status": span.status.code,
                    "message": span.status.message,
                    "flags": span.flags,
                }


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/answers":
            with lock:
                answers.extend(json.loads(body))
            return self.answer(200, "application/json", b"{}")
        assert self.headers["Content-Type"] == "application/x-protobuf", self.headers
        with lock:
            requests.append({"path": self.path, **dict(self.headers.items())})
            status = answers.pop(0) if answers else 200
            if status == 200:
                message = ExportTraceServiceRequest()
                message.ParseFromString(body)
                spans.extend(taken(message))
        self.answer(status, "application/x-protobuf", ExportTraceServiceResponse().SerializeToString())

    def do_GET(self):
        with lock:
            known = {"/spans": spans, "/requests": requests}[self.path]
            body = json.dumps(known).encode()
        self.answer(200, "application/json", body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


server = Server(("127.0.0.1", int(sys.argv[1])), Collector)
print(server.server_port, flush=True)
server.serve_forever()
