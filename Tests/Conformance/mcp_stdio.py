#!/usr/bin/env python3
"""An MCP server on standard input and output in a hundred lines of standard-library Python, for
what well-behaved servers do not do: it is told how by its arguments, a JSON object.

era: modern, legacy or both; pages: tools in a page of a list; journal: a file with a line for each
message; slow_start: seconds; names: of further tools. Its tools: `echo`; `sleep` (seconds); `hang`, which also ignores all
messages from then on and leaves a grandchild; `die`; `grow`, which adds a tool and tells of it;
`count` (steps of progress); `odd`, whose result is named by `form`; `noise` on standard error."""

import json
import os
import subprocess
import sys
import threading
import time

CONFIG = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
ERA = CONFIG.get("era", "both")
VERSION = "io.modelcontextprotocol/protocolVersion"
ANY = {"type": "object"}
TOOLS = [
    {"name": "echo", "description": "Returns its arguments.", "inputSchema": ANY,
     "annotations": {"readOnlyHint": True, "idempotentHint": True}},
    {"name": "sleep", "description": "Waits.", "inputSchema": {
        "type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]}},
    {"name": "hang", "description": "Hangs.", "inputSchema": ANY},
    {"name": "die", "description": "Ends the server.", "inputSchema": ANY},
    {"name": "grow", "description": "Adds a tool.", "inputSchema": ANY},
    {"name": "count", "description": "Counts.", "inputSchema": ANY},
    {"name": "odd", "description": "Answers oddly.", "inputSchema": ANY},
    {"name": "noise", "description": "Writes to standard error, then fails.", "inputSchema": ANY},
    {"name": "typed", "description": "Has an output schema.", "inputSchema": ANY, "outputSchema": {
        "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
]
if CONFIG.get("bad_schema"):
    TOOLS.append({"name": "bad", "description": "Bad.", "inputSchema": {"type": 7}})
TOOLS += [{"name": name, "inputSchema": ANY} for name in CONFIG.get("names", [])]
lock = threading.Lock()
cancelled = set()
listener = []


def send(message):
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def text(words, **more):
    return {"content": [{"type": "text", "text": words}], **more}


def odd(form):
    return {
        "image": {"content": [{"type": "image", "data": "AA==", "mimeType": "image/png"}]},
        "texts": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        "empty": {"content": []},
        "unknown-error": text("Unknown tool: odd", isError=True),
        "unknown-success": text("Error: Unknown tool"),
        "type": {"resultType": "sonnet", "content": []},
        "input": {"resultType": "input_required", "inputRequests": {"k": {
            "method": "elicitation/create", "params": {"message": "Which one?"}}}},
        "structure": {"content": [], "structuredContent": [1, {"a": None}]},
        "deep": {"content": [], "structuredContent": json.loads("[" * 60 + "]" * 60)},
        "large": text("x" * (3 << 20)),
    }[form]


def call(id, params):
    name, arguments = params["name"], params.get("arguments", {})
    result = None
    if name == "echo":
        result = text(json.dumps(arguments), structuredContent=arguments)
    elif name == "sleep":
        time.sleep(arguments["seconds"])
        result = text("slept")
    elif name == "die":
        os._exit(7)
    elif name == "grow":
        TOOLS.append({"name": "grown", "description": "New.", "inputSchema": ANY})
        meta = {"io.modelcontextprotocol/subscriptionId": listener[0]} if listener else {}
        send({"method": "notifications/tools/list_changed", "params": {"_meta": meta}})
        result = text("grew")
    elif name == "grown":
        result = text("new")
    elif name == "count":
        for step in range(1, 4):
            send({"method": "notifications/progress", "params": {
                "progressToken": params["_meta"]["progressToken"], "progress": step, "total": 3,
                "message": f"step {step}"}})
            time.sleep(0.1)
        result = text("counted")
    elif name == "odd":
        if arguments["form"] == "unknown-code":
            return send({"id": id, "error": {"code": -32602, "message": "Unknown tool: odd"}})
        if arguments["form"] == "error":
            return send({"id": id, "error": {"code": -32603, "message": "it broke"}})
        result = odd(arguments["form"])
    elif name == "noise":
        print("only of this call", file=sys.stderr, flush=True)
        result = text("it failed", isError=True)
    elif name == "typed":
        result = text("", structuredContent={"n": arguments.get("n")})
    # A late answer to a call that was cancelled is what this server is for.
    send({"id": id, "result": result})


def discovered():
    return {"resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {"listChanged": True}},
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "odd", "version": "1"}}}


def listed(cursor):
    size = CONFIG.get("pages", 100)
    start = int(cursor or 0)
    page = {"tools": TOOLS[start:start + size]}
    if start + size < len(TOOLS):
        page["nextCursor"] = str(start + size)
    elif CONFIG.get("endless"):
        page["nextCursor"] = "0"
    return page


def main():
    time.sleep(CONFIG.get("slow_start", 0))
    print("A greeting that is no message.", flush=True)
    for line in sys.stdin:
        if journal := CONFIG.get("journal"):
            with open(journal, "a") as file:
                file.write(line)
        message = json.loads(line)
        method, id, params = message.get("method"), message.get("id"), message.get("params", {})
        is_modern = VERSION in params.get("_meta", {})
        if id is None:
            continue
        if is_modern and ERA == "legacy" or method == "server/discover" and not is_modern:
            send({"id": id, "error": {"code": -32601, "message": "What is that?"}})
        elif method == "server/discover":
            send({"id": id, "result": discovered()})
        elif method == "initialize" and ERA != "modern":
            send({"id": id, "result": {
                "protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "odd", "version": "1"}}})
        elif method == "ping":
            send({"id": id, "result": {}})
        elif method == "tools/list":
            send({"id": id, "result": listed(params.get("cursor"))})
        elif method == "subscriptions/listen":
            listener[:] = [id]
            send({"method": "notifications/subscriptions/acknowledged", "params": {"_meta": {
                "io.modelcontextprotocol/subscriptionId": id}}})
        elif method == "tools/call" and params["name"] == "hang":
            subprocess.Popen(["sleep", "987"], start_new_session=True)
            while True:
                time.sleep(1)
        elif method == "tools/call":
            threading.Thread(target=call, args=(id, params), daemon=True).start()
        else:
            send({"id": id, "error": {"code": -32601, "message": f"no {method}"}})


main()
