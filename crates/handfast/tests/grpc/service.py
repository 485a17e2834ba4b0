"""A gRPC service of grpcio that demands a client certificate; prints its port and runs until its standard
input ends. Messages are bytes, so that no compiler for protobuf is needed."""

import sys
import threading
from concurrent import futures

import grpc

cancelled = threading.Event()


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    context.set_trailing_metadata((("seen-by", "service"), ("raw-bin", b"\x00\xff")))
    return request + b" " + metadata.get("x-note", "-").encode()


def count(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def collect(requests, context):
    return b"+".join(requests)


def chat(requests, context):
    for request in requests:
        yield request[::-1]


def fail(request, context):
    context.set_trailing_metadata((("reason-bin", b"\x01\x02"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no tea, 100% sure: \u00fc")


def fail_late(request, context):
    yield b"first"
    context.abort(grpc.StatusCode.DATA_LOSS, "broke off")


def slow(request, context):
    context.add_callback(cancelled.set)
    cancelled.wait(20)
    return b"too late"


def was_cancelled(request, context):
    return b"yes" if cancelled.wait(10) else b"no"


def echo(request, context):
    return request


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "FailLate": grpc.unary_stream_rpc_method_handler(fail_late),
    "Slow": grpc.unary_unary_rpc_method_handler(slow),
    "WasCancelled": grpc.unary_unary_rpc_method_handler(was_cancelled),
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main(certificate, key, root):
    server = grpc.server(
        futures.ThreadPoolExecutor(8),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("handfast.test.Tea", METHODS),))
    pair = (read(key), read(certificate))
    credentials = grpc.ssl_server_credentials([pair], read(root), require_client_auth=True)
    print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(0)


main(*sys.argv[1:])
