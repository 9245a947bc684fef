#!/usr/bin/env python3
"""What a call of an MCP tool costs through the cluster and without it, in one run.

    Tests/Benchmarks/mcp_overhead.py [CALLS] [COMMAND…]

The same calls go to a server alone, one after the other over its standard input, and then, as a chain
in which each node waits for the one before, through a coordinator and a worker that hosts such a
server. The default is mcp-server-time from `Deploy/install --mcp`; its tool is get_current_time."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHONS = pathlib.Path(os.environ.get("WEFT_TEST_PYTHON") or ROOT / ".build" / "python")
WEFT = os.environ.get("WEFT") or str(ROOT / ".build" / "stripped" / "weft")
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}}
TOOL, ARGUMENTS = "get_current_time", {"timezone": "UTC"}


def bare(command, count):
    """Milliseconds of each call."""
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)

    def call(number):
        message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {
            "name": TOOL, "arguments": ARGUMENTS, "_meta": META}}
        start = time.perf_counter()
        server.stdin.write(json.dumps(message).encode() + b"\n")
        server.stdin.flush()
        while json.loads(server.stdout.readline()).get("id") != number:
            pass
        return (time.perf_counter() - start) * 1000

    call(0)
    times = [call(number) for number in range(1, count + 1)]
    server.stdin.close()
    server.wait(10)
    return times


def through_weft(command, count, folder):
    """Milliseconds from one node of a chain to the next, and at the worker."""
    manifest = pathlib.Path(folder, "tools.yaml")
    manifest.write_text(json.dumps({"mcpServers": {
        "time": {"command": command[0], "args": command[1:], "trust_hints": True}}}))
    tasks = [{"id": f"t{n}", "tool_name": TOOL, "args": ARGUMENTS,
              "dependencies": [f"t{n - 1}"] if n > 1 else []} for n in range(1, count + 2)]
    plan = pathlib.Path(folder, "plan.json")
    plan.write_text(json.dumps({"tasks": tasks}))
    done = subprocess.run(
        [WEFT, "run", "--plan", str(plan), "--tools", str(manifest), "--workers", "1", "--json"],
        capture_output=True, text=True, check=True)
    nodes = json.loads(done.stdout)["nodes"]
    ends = [node["ready_at_ms"] for node in nodes.values()]
    return [later - earlier for earlier, later in zip(ends[1:], ends[2:])]


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    command = sys.argv[2:] or [
        str(PYTHONS / "modern" / "bin" / "mcp-server-time"), "--local-timezone=UTC"]
    with tempfile.TemporaryDirectory() as folder:
        rounds = []
        for _ in range(3):
            alone = statistics.median(bare(command, count))
            cluster = statistics.median(through_weft(command, count, folder))
            rounds.append((alone, cluster, cluster - alone))
            print(f"alone {alone:.3f} ms, through the cluster {cluster:.3f} ms, "
                  f"more {cluster - alone:.3f} ms", flush=True)
        overhead = statistics.median(more for _, _, more in rounds)
        print(f"{os.cpu_count()} cores, {count} calls a round: the cluster adds {overhead:.3f} ms "
              "to a call (median of medians)")
    return 0 if overhead < 1 else 1


sys.exit(main())
