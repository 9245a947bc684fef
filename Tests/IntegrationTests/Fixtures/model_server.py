"""A language model's HTTP server that does what a script tells it, well or badly.

    model_server.py SCRIPT LOG [CERTIFICATE KEY]

Says "port N" on standard output once it listens. SCRIPT is a JSON file, read again with each
request: by goal ("*" for any other) the replies for "planner" and "joiner", in order; a request
beyond them is answered with 418. A reply is a list of steps:

    ["status", 429, {"header": "value"}, "body"]   a whole response
    ["whole", {...}]                               a whole response with that JSON
    ["say", "text", 7]                             text, in pieces of so many characters
    ["finish", "stop"], ["usage", 100, 20]         the reason to stop, tokens used
    ["done"]                                       what ends a stream of its kind
    ["raw", "text"], ["hex", "e282"]               one piece of the stream as it is
    ["await", "path"]                              goes on when there is such a file
    ["hang"]                                       nothing until the client goes
    ["cut"], ["reset"]                             the connection ends, decently or not

What comes is written to LOG, a JSON object a line: requests with their headers and bodies, and
{"gone": N} when the client ended the connection of request N while it was hanging.
"""

import asyncio
import json
import os
import socket
import ssl
import struct
import sys

SCRIPT, LOG = sys.argv[1:3]
counts = {}
requests = 0


def log(**fields):
    with open(LOG, "a", encoding="utf-8") as file:
        file.write(json.dumps(fields) + "\n")


def sse(value, kind=None):
    event = f"event: {kind}\n" if kind else ""
    return f"{event}data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode()


class OpenAI:
    def say(self, text):
        return sse({"choices": [{"index": 0, "delta": {"content": text}}]})

    def finish(self, reason):
        return sse({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})

    def usage(self, given, written):
        tokens = {"prompt_tokens": given, "completion_tokens": written}
        return sse({"choices": [], "usage": tokens})

    def done(self):
        return sse("[DONE]")


class Anthropic:
    def say(self, text):
        delta = {"type": "text_delta", "text": text}
        value = {"type": "content_block_delta", "index": 0, "delta": delta}
        return sse(value, "content_block_delta")

    def finish(self, reason):
        value = {"type": "message_delta", "delta": {"stop_reason": reason}}
        return sse(value, "message_delta")

    def usage(self, given, written):
        tokens = {"input_tokens": given, "output_tokens": written}
        return sse({"type": "message_start", "message": {"usage": tokens}}, "message_start")

    def done(self):
        return sse({"type": "message_stop"}, "message_stop")


def reply(line, headers, body):
    """Logs a request; returns its steps, by its goal and by whether it asks for a plan."""
    texts = [str(m["content"]) for m in body["messages"]]
    everything = "\n".join([str(body.get("system", "")), *texts])
    purpose = "planner" if "You plan calls" in everything else "joiner"
    # Examples come before the goal.
    goal = everything.rpartition("Goal: ")[2].partition("\n")[0]
    with open(SCRIPT, encoding="utf-8") as file:
        script = json.load(file)
    replies = script.get(goal, script.get("*", {})).get(purpose, [])
    number = counts.get((goal, purpose), 0)
    counts[goal, purpose] = number + 1
    said = {"line": line, "headers": headers, "goal": goal, "purpose": purpose, "body": body}
    log(request=requests, **said)
    if number >= len(replies):
        return [["status", 418, {}, f"no reply {number + 1} for the {purpose} of {goal}"]]
    return replies[number]


async def serve(reader, writer):
    global requests
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (h.partition(":") for h in head[1:])}
            body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))))
            requests += 1
            kind = Anthropic() if "/messages" in head[0] else OpenAI()
            steps = reply(head[0], headers, body)
            if not await perform(steps, kind, requests, reader, writer):
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def whole(status, headers, body):
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def perform(steps, kind, number, reader, writer):
    """Carries out a reply; says whether the connection may be used again."""
    started = False

    async def send(data):
        nonlocal started
        if not started:
            started = True
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
            writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await writer.drain()
        await asyncio.sleep(0)

    for name, *values in steps:
        if name == "status":
            writer.write(whole(values[0], values[1], values[2].encode()))
            await writer.drain()
            return True
        if name == "whole":
            kind_of_body = {"Content-Type": "application/json"}
            writer.write(whole(200, kind_of_body, json.dumps(values[0]).encode()))
            await writer.drain()
            return True
        if name == "say":
            text, size = values
            for start in range(0, len(text), size):
                await send(kind.say(text[start : start + size]))
        elif name in ("finish", "usage", "done"):
            await send(getattr(kind, name)(*values))
        elif name == "raw":
            await send(values[0].encode())
        elif name == "hex":
            await send(bytes.fromhex(values[0]))
        elif name == "await":
            for _ in range(2000):
                if os.path.exists(values[0]):
                    break
                await asyncio.sleep(0.01)
        elif name == "hang":
            try:
                await reader.read()
            finally:
                log(gone=number)
            return False
        elif name == "cut":
            return False
        elif name == "reset":
            linger = struct.pack("ii", 1, 0)
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        else:
            raise ValueError(name)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def main():
    context = None
    if len(sys.argv) > 3:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*sys.argv[3:5])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, limit=1 << 24)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
