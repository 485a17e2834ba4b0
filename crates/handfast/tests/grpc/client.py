"""A gRPC client of grpcio that makes one call of each kind and prints what came of each, as JSON lines."""

import json
import sys
import threading

import grpc


def read(path):
    with open(path, "rb") as file:
        return file.read()


def say(name, **facts):
    print(json.dumps({"call": name, **facts}, sort_keys=True), flush=True)


def failed(name, call):
    """What a failed call says."""
    try:
        answer = call()
        for _ in answer if not isinstance(answer, bytes) else ():
            pass
        say(name, code="OK")
    except grpc.RpcError as error:
        trailers = {key: value.hex() if isinstance(value, bytes) else value for key, value in error.trailing_metadata()}
        known = {key: trailers[key] for key in ("reason-bin",) if key in trailers}
        details = error.details() if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED else ""
        say(name, code=error.code().name, details=details, trailers=known)


def main(port, name, root, certificate, key, subscription):
    credentials = grpc.ssl_channel_credentials(read(root), read(key), read(certificate))
    options = [
        ("grpc.ssl_target_name_override", name),
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.enable_retries", 0),
    ]
    paid = (("ocp-apim-subscription-key", subscription),)
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        calls(channel, paid)


def calls(channel, paid):
    path = "/handfast.test.Tea/"
    unary = channel.unary_unary(path + "Unary")
    answer, call = unary.with_call(b"tea", metadata=paid + (("x-note", "black"),), timeout=20)
    trailers = {key: value.hex() if isinstance(value, bytes) else value for key, value in call.trailing_metadata()}
    say("unary", answer=answer.decode(), code=call.code().name, raw=trailers["raw-bin"], seen=trailers["seen-by"])

    counted = [int(part) for part in channel.unary_stream(path + "Count")(b"2000", metadata=paid, timeout=20)]
    say("server streaming", inorder=counted == list(range(2000)), count=len(counted))

    parts = (str(number).encode() for number in range(5))
    say("client streaming", answer=channel.stream_unary(path + "Collect")(parts, metadata=paid, timeout=20).decode())

    chat(channel, path, paid)
    failed("error in trailers", lambda: channel.unary_unary(path + "Fail")(b"", metadata=paid, timeout=20))
    failed("error after messages", lambda: channel.unary_stream(path + "FailLate")(b"", metadata=paid, timeout=20))
    failed("unknown method", lambda: channel.unary_unary(path + "Nothing")(b"", metadata=paid, timeout=20))
    failed("without key", lambda: unary(b"tea", timeout=20))

    failed("deadline", lambda: channel.unary_unary(path + "Slow")(b"", metadata=paid, timeout=0.5))
    told = channel.unary_unary(path + "WasCancelled")(b"", metadata=paid, timeout=20)
    say("deadline reached the service", answer=told.decode())

    large = bytes(range(256)) * 32 * 1024
    back = channel.unary_unary(path + "Echo")(large, metadata=paid, timeout=60)
    say("large message", size=len(back), same=back == large)


def chat(channel, path, paid):
    """Each word is said only after the answer to the one before: both directions are open at once."""
    answered = threading.Semaphore(1)

    def talk():
        for word in (b"one", b"two", b"three"):
            if not answered.acquire(timeout=20):
                return
            yield word

    answers = []
    for answer in channel.stream_stream(path + "Chat")(talk(), metadata=paid, timeout=20):
        answers.append(answer.decode())
        answered.release()
    say("bidirectional", answers=answers)


main(*sys.argv[1:])
