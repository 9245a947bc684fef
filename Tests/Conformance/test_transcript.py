"""What somebody sees who reads along between two hosts: with encryption neither plans, outputs nor
keys; without it the same test finds them, but no key even then. Two network namespaces are the
hosts."""

import os
import pathlib
import random
import re
import shutil
import string
import subprocess
import sys
import tempfile
import time
import unittest

from peer import PATIENCE, WEFT, Process
from tls import weft

MANIFEST = """\
tools:
  - name: shout
    description: Says a text in capital letters.
    parameters: {type: object, properties: {text: {type: string}}, required: [text]}
    command: [sh, -c, 'printf %s "$1" | tr a-z A-Z', shout, "{text}"]
"""
NEAR, FAR = "10.231.97.1", "10.231.97.2"


def streams(capture):
    """The bytes of each direction of each TCP connection in a file of tcpdump."""
    position, bytes_of = 24, {}
    while position + 16 <= len(capture):
        length = int.from_bytes(capture[position + 8:position + 12], "little")
        packet = capture[position + 16:position + 16 + length][14:]  # without the Ethernet header
        position += 16 + length
        if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] != 6:
            continue
        size, header = int.from_bytes(packet[2:4], "big"), (packet[0] & 15) * 4
        segment = packet[header:size]
        ends = packet[12:20] + segment[:4]
        bytes_of[ends] = bytes_of.get(ends, b"") + segment[(segment[12] >> 4) * 4:]
    return [data for data in bytes_of.values() if data]


class TranscriptTest(unittest.TestCase):
    def setUp(self):
        for reason, holds in [("it needs root", os.geteuid() == 0),
                              ("iproute2 is not installed", shutil.which("ip")),
                              ("tcpdump is not installed", shutil.which("tcpdump"))]:
            if not holds:
                self.skipTest(f"two network namespaces cannot be listened to: {reason}")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        # The coordinator is on one host, worker and client on the other.
        self.hosts = [f"weft-{os.getpid()}-{end}" for end in "ab"]
        self.links = [f"weft{os.getpid() % 10**7}{end}" for end in "ab"]
        for host in self.hosts:
            done = self.ip("netns", "add", host)
            if done.returncode != 0:
                self.skipTest(f"there can be no network namespace here: {done.stderr.strip()}")
            self.addCleanup(self.ip, "netns", "delete", host)
        for words in [
                ["link", "add", self.links[0], "netns", self.hosts[0], "type", "veth", "peer",
                 "name", self.links[1], "netns", self.hosts[1]],
                *[["-n", host, "address", "add", f"{address}/30", "dev", link] for
                  host, address, link in zip(self.hosts, [NEAR, FAR], self.links)],
                *[["-n", host, "link", "set", link, "up"] for
                  host, link in zip(self.hosts, self.links)]]:
            done = self.ip(*words)
            self.assertEqual(done.returncode, 0, done.stderr)

    def ip(self, *words):
        return subprocess.run(["ip", *words], capture_output=True, text=True, timeout=60)

    def on(self, host, *words):
        """The words that run a command on a host."""
        return ["ip", "netns", "exec", self.hosts[host], *map(str, words)]

    def start(self, host, *words):
        process = Process(self.on(host, *words))
        self.addCleanup(process.stop)
        return process

    def record(self, *options):
        """A whole run between the hosts: what was seen, the words of plan and output, the keys."""
        file, state = self.folder / "seen", self.folder / "state"
        tcpdump = self.start(0, "tcpdump", "-i", self.links[0], "-w", file, "-U", "-Z", "root",
                             "--immediate-mode")
        tcpdump.wait_for("listening on")
        coordinator = self.start(0, WEFT, "coordinator", "--listen", f"{NEAR}:0", "--state", state,
                                 *options)
        port = coordinator.wait_for(rf"listens on {re.escape(NEAR)}:(\d+)")[1]
        joins = {}
        for role in ["worker", "client"]:
            joins[role] = self.folder / f"{role}.join"
            done = weft("keys", "export", role, "--for", f"{NEAR}:{port}", "--state", state,
                        "--out", joins[role], *(["--tls", "never"] if options else []))
            self.assertEqual(done.returncode, 0, done.stderr)
        (self.folder / "tools.yaml").write_text(MANIFEST)
        worker = self.start(1, WEFT, "worker", "--tools", self.folder / "tools.yaml", "--join",
                            joins["worker"])
        worker.wait_for("registered")
        word = "".join(random.choices(string.ascii_lowercase, k=24))
        plan = self.folder / "plan.json"
        plan.write_text('{"tasks": [{"id": "a", "tool_name": "shout", "args": {"text": "%s"}}]}'
                        % word)
        done = subprocess.run(self.on(1, WEFT, "run", "--plan", plan, "--join", joins["client"]),
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        # Without encryption there is one warning on each side.
        warning = f"warning: the connection to {NEAR}:{port} is not encrypted (--tls never, or a "
        for text in [done.stderr, "\n".join(worker.log)]:
            self.assertEqual(text.count(warning), 1 if options else 0, text)
        self.assertEqual(len(done.stderr.splitlines()), 1 if options else 0)
        self.assertIn(word.upper(), done.stdout)
        for process in [worker, coordinator]:
            process.terminate()
            process.exit_code()
        self.mark(file)
        tcpdump.terminate()
        self.assertEqual(tcpdump.wait_for(r"(\d+) packets dropped by kernel")[1], "0")
        keys = [bytes.fromhex(path.read_text().strip()) for path in state.glob("*.key")]
        self.assertEqual(len(keys), 3)
        return streams(file.read_bytes()), word.encode(), keys

    def mark(self, file):
        """Sends a packet of another kind, and waits until it was seen, and all before it."""
        text = f"the end {random.random()}"
        send = f"import socket; socket.socket(type=2).sendto({text.encode()}, ('{NEAR}', 9))"
        subprocess.run(self.on(1, sys.executable, "-c", send), check=True, timeout=60)
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in file.read_bytes():
            self.assertLess(time.monotonic(), deadline, "tcpdump does not see the last packet")
            time.sleep(0.02)

    def assert_no_key(self, seen, keys):
        for data in seen:
            for key in keys:
                for form in [key, key.hex().encode(), key.hex().upper().encode()]:
                    self.assertNotIn(form, data)

    def test_with_encryption_nothing_is_seen(self):
        seen, word, keys = self.record()
        # Worker and client, in both directions.
        self.assertEqual(len(seen), 4)
        self.assertGreater(sum(map(len, seen)), 3_000)
        for data in seen:
            self.assertEqual(data[:2], b"\x16\x03")
            for text in [word, word.upper(), b"shout", b'"type"', b"dispatch"]:
                self.assertNotIn(text, data)
        self.assert_no_key(seen, keys)

    def test_without_encryption_all_but_the_keys_is_seen(self):
        seen, word, keys = self.record("--insecure-plaintext")
        self.assertEqual(len(seen), 4)
        # The plan goes from the client and to the worker, the output the other way.
        self.assertEqual(sum(word in data for data in seen), 2)
        self.assertEqual(sum(word.upper() in data for data in seen), 2)
        self.assert_no_key(seen, keys)


if __name__ == "__main__":
    unittest.main()
