#!/usr/bin/env python3
"""A worker in two hundred lines of standard-library Python, written from the protocol document
alone. It offers noop, echo, sleep and fail. Chunks, windows and progress are left out: arguments
that come in chunks are rejected, outputs that would need them are failures."""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import random
import secrets
import signal
import socket
import ssl
import sys
import time

ANYTHING = {"type": "object", "additionalProperties": False}
TOOLS = [
    {"name": "noop", "description": "Does nothing and returns null.",
     "idempotent": True, "read_only": True},
    {"name": "echo", "description": "Returns its arguments as they are.",
     "idempotent": True, "read_only": True},
    {"name": "sleep", "description": "Waits that many milliseconds and returns null.",
     "idempotent": True, "read_only": True,
     "parameters": {**ANYTHING, "required": ["ms"], "properties": {
         "ms": {"type": "number", "minimum": 0, "maximum": 86400000}}}},
    {"name": "fail", "description": "Fails with the code, message and retryability it is told.",
     "idempotent": True, "read_only": True, "max_attempts": 10,
     "parameters": {**ANYTHING, "properties": {
         "code": {"type": "string", "pattern": "^[a-z0-9_]{1,64}$"},
         "message": {"type": "string"}, "retryable": {"type": "boolean"},
         "times": {"type": "integer", "minimum": 0}}}},
]


class Failed(Exception):
    """How a tool fails: code, message, retryable."""


class Lost(Exception):
    """The connection is of no use any more."""


async def call(tool, args, number):
    if tool == "echo":
        return args
    if tool == "sleep":
        await asyncio.sleep(args["ms"] / 1000)
    if tool == "fail" and number <= args.get("times", number):
        raise Failed(args.get("code", "tool_error"), args.get("message", "It was told to fail."),
                     args.get("retryable", False))
    return None


def fits(tool, args):
    if not isinstance(args, dict):
        return False
    return tool != "sleep" or isinstance(args.get("ms"), (int, float)) and args["ms"] >= 0


def encryption(name, key):
    """TLS 1.3 by the key alone: no authority is known, so that no certificate can pass."""
    if not hasattr(ssl.SSLContext, "set_psk_client_callback"):
        sys.exit("--tls needs Python 3.13; before that, stunnel can encrypt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_psk_client_callback(lambda hint: (name, key))
    return context


class Worker:
    def __init__(self, options, name, key):
        self.options, self.name, self.key = options, name, key
        self.tls = encryption(name or "worker", key) if options.tls else None
        self.slots = asyncio.Semaphore(options.slots)
        self.held = {}  # attempt -> its task, whether it began, and its result once there is one
        self.resume = self.writer = None
        self.is_draining = False

    def send(self, **message):
        if self.writer:
            self.writer.write(json.dumps(message).encode() + b"\n")

    def fault(self, code, text):
        self.send(type="error", code=code, message=text, fatal=True)
        raise Lost(text)

    async def receive(self, reader, seconds):
        try:
            line = b""
            while not line.strip():
                line = await asyncio.wait_for(reader.readuntil(b"\n"), seconds)
            message = json.loads(line)
            return message if isinstance(message, dict) else self.fault("bad_json", "no object")
        except asyncio.LimitOverrunError:
            self.fault("line_too_long", "the line is too long")
        except ValueError:
            self.fault("bad_json", "no JSON")

    def mac(self, side, nonce, challenge):
        parts = [b"weft1", side, b"worker", nonce, bytes.fromhex(challenge["nonce"]),
                 self.options.name.encode(), challenge["session"].encode()]
        text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.new(self.key, text, hashlib.sha256).hexdigest()

    async def shake_hands(self, reader):
        nonce = secrets.token_bytes(32)
        self.send(type="hello", versions=[1], role="worker", name=self.options.name,
                  nonce=nonce.hex(), key=self.name, resume=self.resume)
        challenge = await self.receive(reader, 5)
        self.refused(challenge)
        if not hmac.compare_digest(challenge["mac"], self.mac(b"coordinator", nonce, challenge)):
            self.send(type="error", code="auth_failed", message="wrong proof", fatal=True)
            await self.writer.drain()
            sys.exit(4)
        self.send(type="auth", mac=self.mac(b"peer", nonce, challenge))
        welcome = await self.receive(reader, 5)
        self.refused(welcome)
        self.limit = welcome["limits"]["max_line"]
        is_resumed = self.resume and self.resume["session"] == welcome["session"]
        self.resume = {"session": welcome["session"], "epoch": welcome["epoch"]}
        in_flight = [{"attempt": id, "state": "done" if held["result"] else "running"}
                     for id, held in self.held.items()]
        self.send(type="register", slots=self.options.slots, tools=TOOLS, in_flight=in_flight,
                  host=socket.gethostname(), pid=os.getpid(), software="worker.py")
        registered = await self.receive(reader, 5)
        self.refused(registered)
        adopted = registered["adopt"] if is_resumed else []
        for id in [id for id in self.held if id not in adopted]:
            self.held.pop(id)["task"].cancel()
        for held in self.held.values():
            if held["result"]:
                self.send(**held["result"])
        if self.is_draining:
            self.drain()
        return welcome["lease_ms"] / 1000

    def refused(self, message):
        if message["type"] == "error":
            if message["code"] in ("auth_failed", "unsupported_version"):
                sys.exit(4)
            if message["code"] == "duplicate_name":
                sys.exit(1)
        if message["type"] == "bye" or message["type"] == "error" and message.get("fatal"):
            raise Lost(message["type"])

    def take(self, message):
        kind, id = message["type"], message.get("attempt")
        self.refused(message)
        if kind == "dispatch" and id not in self.held:
            args, tool = message.get("args"), message["tool"]
            if self.is_draining:
                self.send(type="reject", attempt=id, code="draining")
            elif tool not in [offered["name"] for offered in TOOLS]:
                self.send(type="reject", attempt=id, code="unknown_tool")
            elif "args_chunks" in message or not fits(tool, args):
                self.send(type="reject", attempt=id, code="bad_args", message="not understood")
            else:
                self.held[id] = {"began": False, "result": None}
                self.held[id]["task"] = asyncio.create_task(self.run(message))
        elif kind == "cancel" and id in self.held and not self.held[id]["result"]:
            if not self.held[id]["began"]:
                self.held[id]["task"].cancel()
                if message["reason"] == "recalled":
                    del self.held[id]
                    self.send(type="reject", attempt=id, code="recalled")
                else:
                    self.finish(id, {"ok": False, "error": {"code": "cancelled"}})
            elif message["reason"] != "recalled":
                self.held[id]["task"].cancel()
        elif kind == "ack":
            for id in message.get("attempts", []) + message.get("stale", []):
                if id in self.held:
                    self.held.pop(id)["task"].cancel()
        elif kind == "ping":
            self.send(type="pong", n=message["n"], in_flight=list(self.held))
        elif kind == "drain":
            self.drain(tell=False)
        elif kind not in ("dispatch", "cancel", "error", "pong", "chunk", "window"):
            self.send(type="error", code="unknown_type", message=f"no type {kind}", fatal=False)
        self.leave_if_done()

    def drain(self, tell=True):
        self.is_draining = True
        if tell:
            self.send(type="drain")
        for id in [id for id, held in self.held.items() if not held["began"]]:
            self.held.pop(id)["task"].cancel()
            self.send(type="reject", attempt=id, code="draining")
        self.leave_if_done()

    def leave_if_done(self):
        if self.is_draining and not self.held:
            self.send(type="bye", reason="drained")
            sys.exit(0)

    async def run(self, dispatch):
        id, limit = dispatch["attempt"], dispatch.get("timeout_ms")
        outcome = {"ok": False, "error": {"code": "cancelled", "message": "It was cancelled."}}
        try:
            async with self.slots:
                self.held[id]["began"], begin = True, time.monotonic()
                if dispatch["tool"] == "sleep":
                    self.send(type="started", attempt=id)
                output = await asyncio.wait_for(
                    call(dispatch["tool"], dispatch.get("args"), dispatch["number"]),
                    limit and limit / 1000)
            outcome = {"ok": True, "output": output}
            if len(json.dumps(outcome)) > min(dispatch["max_output"], self.limit // 2):
                outcome = {"ok": False, "error": {"code": "output_too_large"}}
        except asyncio.TimeoutError:
            outcome["error"] = {"code": "timeout", "message": f"over {limit} ms",
                                "retryable": True}
        except Failed as failure:
            outcome["error"] = dict(zip(("code", "message", "retryable"), failure.args))
        except asyncio.CancelledError:
            if not self.held.get(id, {}).get("began"):
                return
        if id in self.held:
            self.finish(id, {**outcome, "duration_us": int((time.monotonic() - begin) * 1e6)})

    def finish(self, id, outcome):
        self.held[id]["result"] = {"type": "result", "attempt": id, **outcome}
        self.send(**self.held[id]["result"])

    async def session(self, reader):
        lease = await self.shake_hands(reader)
        while True:
            self.take(await self.receive(reader, lease))

    async def work(self):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.drain)
        host, _, port = self.options.coordinator.rpartition(":")
        pause = 0.1
        while True:
            try:
                reader, self.writer = await asyncio.open_connection(host, port, limit=1 << 20,
                                                                    ssl=self.tls)
                begin = time.monotonic()
                await self.session(reader)
            except KeyError as missing:
                self.send(type="error", code="bad_message", message=f"no {missing}", fatal=True)
            except (OSError, Lost, asyncio.IncompleteReadError, asyncio.TimeoutError) as reason:
                print(f"connection lost: {reason}", file=sys.stderr)
                if isinstance(reason, ssl.SSLError) and not self.writer:
                    sys.exit(4)  # another key, or a port that does not encrypt
            if self.writer:
                self.writer.close()
                pause = 0.1 if time.monotonic() - begin > 5 else pause
                self.writer = None
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, 5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A worker with noop, echo, sleep and fail.")
    parser.add_argument("--coordinator", default="127.0.0.1:7420")
    parser.add_argument("--key-file", required=True)
    parser.add_argument("--tls", action="store_true", help="encrypt; needs Python 3.13")
    parser.add_argument("--name", default=f"python-{os.getpid()}")
    parser.add_argument("--slots", type=int, default=2)
    arguments = parser.parse_args()
    with open(arguments.key_file) as file:
        key_name, _, digits = file.read().strip().rpartition(":")
    asyncio.run(Worker(arguments, key_name or None, bytes.fromhex(digits)).work())
