#!/usr/bin/env python3
"""How much memory a coordinator takes for runs that have ended: its resident memory before, and after
so many runs of one node each; then the same after it was started again.

    WEFT=.build/stripped/weft Tests/Benchmarks/finished_runs.py [RUNS]
"""

import os
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Conformance"))

from peer import Coordinator, line  # noqa: E402

BATCH = 500


def memory(coordinator, field="VmRSS"):
    status = pathlib.Path(f"/proc/{coordinator.process.process.pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    coordinator = Coordinator()
    try:
        worker = coordinator.worker([{"name": "t", "idempotent": True}], slots=BATCH)
        client = coordinator.greet("client")
        before = memory(coordinator)
        began = time.monotonic()
        plan = {"tasks": [{"id": "a", "tool_name": "t", "args": {"text": "x" * 64}}]}
        for first in range(0, count, BATCH):
            client.send_raw(b"".join(
                line({"type": "submit", "key": f"k{number}", "plan": plan, "join": "json",
                      "watch": "end"}) for number in range(first, first + BATCH)))
            for _ in range(BATCH):
                attempt = worker.skip_to("dispatch")["attempt"]
                worker.send(type="result", attempt=attempt, ok=True, output="y" * 64)
            ended = 0
            while ended < BATCH:
                ended += client.receive()["type"] == "event"
        took = time.monotonic() - began
        print(f"cores {os.cpu_count()}, {count} runs in {took:.0f} s")
        print(f"memory before {before:.1f} MiB, after {memory(coordinator):.1f} MiB, "
              f"at most {memory(coordinator, 'VmHWM'):.1f} MiB")
        client.send(type="get", request=1, what="status")
        client.skip_to("reply")
        coordinator.hang_up()
        coordinator.kill()
        began = time.monotonic()
        coordinator.start()
        print(f"started again in {time.monotonic() - began:.2f} s, memory "
              f"{memory(coordinator):.1f} MiB, at most {memory(coordinator, 'VmHWM'):.1f} MiB")
    finally:
        coordinator.stop()


if __name__ == "__main__":
    main()
