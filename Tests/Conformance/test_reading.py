"""Peers that read fast, a byte at a time, with pauses, or not at all. Their waiting messages cost
the coordinator little, and only a peer that reads nothing for a lease is dropped."""

import pathlib
import re
import socket
import time
import unittest

from peer import Closed, Coordinator
from test_coordinator import CoordinatorTest, plan

MIB = 1 << 20


class ReadingTest(CoordinatorTest):
    """A coordinator with one finished run whose outputs are large."""

    LIMITS = {}
    NODES, BYTES, PIECE = 1, MIB, 200_000

    @classmethod
    def setUpClass(cls):
        cls.coordinator = Coordinator(**cls.LIMITS)
        cls.addClassCleanup(cls.coordinator.stop)

    def setUp(self):
        super().setUp()
        tool = self.tool()
        worker, client = self.coordinator.worker([tool], slots=1), self.client()
        nodes = [(f"n{number}", tool, {}) for number in range(self.NODES)]
        self.run_id = self.submit(client, plan(*nodes), watch="end", join="json")
        piece = "x" * self.PIECE
        for _ in nodes:
            attempt = worker.skip_to("dispatch")["attempt"]
            self.send_value(worker, attempt, piece)
        self.assertEqual(self.end(client, self.run_id)[-1]["kind"], "run_succeeded")
        worker.close()
        client.close()

    def send_value(self, worker, attempt, piece):
        """The output of an attempt, in chunks, as the window allows."""
        room, total, count = 8 * MIB, 0, 0
        pieces = [piece] * (self.BYTES // len(piece))
        pieces[0], pieces[-1] = '"' + pieces[0], pieces[-1] + '"'
        for text in pieces:
            while room < len(text):
                room += worker.skip_to("window", attempt=attempt)["bytes"]
            worker.send(type="chunk", attempt=attempt, seq=count, stream="value", data=text)
            room, total, count = room - len(text), total + len(text), count + 1
        worker.send(type="result", attempt=attempt, ok=True,
                    output_chunks={"count": count, "bytes": total})

    def viewer(self, **options):
        return self.coordinator.greet("viewer", **options)

    def ask(self, peer, what, **fields):
        peer.send(type="get", request=1, what=what, id=self.run_id, **fields)

    def reply(self, peer):
        """Reads the reply to the end; returns the bytes of its value."""
        total = 0
        while (message := peer.receive())["type"] == "chunk":
            total += len(message["data"])
        self.assertEqual(message["type"], "reply")
        self.assertEqual(message["data_chunks"]["bytes"], total)
        return total

    def peak(self):
        """The most memory that the coordinator has had, in bytes."""
        status = pathlib.Path(f"/proc/{self.coordinator.process.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10


class ManyReaders(ReadingTest):
    NODES, BYTES = 5, 15_000_000

    def test_an_answer_of_75_megabytes_is_read_fast(self):
        client = self.client()
        self.ask(client, "answer")
        self.assertGreater(self.reply(client), 75_000_000 - 5 * 200_000)

    def test_sixty_viewers_that_ask_for_much_and_do_not_read(self):
        viewers = [self.viewer(answers_pings=False) for _ in range(60)]
        for number, viewer in enumerate(viewers):
            # They share the answer, but not the other documents.
            whats = [("answer", {}), ("node", {"node": "n0"}), ("nodes", {})]
            for what, fields in whats[number % 2:]:
                self.ask(viewer, what, **fields)
        # Meanwhile a peer that reads gets everything.
        client = self.client()
        for _ in range(3):
            self.ask(client, "answer")
            self.reply(client)
        self.assertLess(self.peak(), 1 << 30)


class SlowReaders(ReadingTest):
    LIMITS = {"heartbeat": "500ms", "lease": "2s", "resume_window": "1s", "max_line": "64KiB",
              "max_line_before_authentication": "64KiB", "chunk": "16KiB"}
    NODES, BYTES, PIECE = 1, 8_000_000, 16_000

    def slow_viewer(self):
        viewer = self.viewer(answers_pings=False)
        viewer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        self.ask(viewer, "node", node="n0")
        return viewer

    def read(self, viewer, count):
        data = viewer.socket.recv(count)
        if not data:
            raise Closed("closed")
        viewer.buffer += data

    def test_few_bytes_at_a_time_for_longer_than_a_lease(self):
        viewer = self.slow_viewer()
        # By the clock: on a busy machine a pause between two reads can be of any length.
        begun = time.monotonic()
        taken = 0
        while (passed := time.monotonic() - begun) < 6:
            while taken < 200_000 * passed:
                self.read(viewer, 64)
                taken += 64
            time.sleep(0.0001)
        self.assertGreater(self.reply(viewer), 7_000_000)

    def test_pauses_shorter_than_a_lease(self):
        viewer = self.slow_viewer()
        for _ in range(5):
            time.sleep(1)
            self.read(viewer, 200_000)
        self.assertGreater(self.reply(viewer), 7_000_000)

    def test_a_pause_longer_than_a_lease(self):
        viewer = self.slow_viewer()
        time.sleep(4)
        # Data on its way still arrives, then the reason for the end.
        viewer.skip_to("error", code="limit", fatal=True)
        viewer.expect_end()


if __name__ == "__main__":
    unittest.main()
