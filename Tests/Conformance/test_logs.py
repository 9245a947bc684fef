"""What tools write and what happened to a node: asked while it runs, after its end, and after the
coordinator was started again."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from peer import WEFT, Coordinator, Process
from test_coordinator import CoordinatorTest, plan


class LogsTest(CoordinatorTest):
    limits = {"finished_runs": 1, "attempt_log": "4KiB"}
    options = ()

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.coordinator = Coordinator(*self.options, **self.limits)
        self.addCleanup(self.coordinator.stop)
        self.peer = self.client()

    def write(self, worker, attempt, number, stream, text):
        worker.send(type="chunk", attempt=attempt, seq=number, stream=stream, data=text)

    def log(self, run, node="a"):
        document = self.get(self.peer, "logs", id=run, node=node)
        self.assertEqual((document["run"], document["node"]), (run, node))
        return [(entry["attempt"], entry["stream"], entry["text"], entry.get("cut", False))
                for entry in document["output"]]

    def restart(self):
        self.get(self.peer, "status")
        self.coordinator.kill()
        self.coordinator.start()
        self.peer = self.client()


class TextTests(LogsTest):
    def test_every_attempt_has_its_text_also_later(self):
        worker = self.coordinator.worker([{"name": "t", "idempotent": True, "max_attempts": 2}])
        run = self.submit(self.peer, plan(("a", "t", {})), watch="end")
        first = worker.skip_to("dispatch")["attempt"]
        self.write(worker, first, 0, "stdout", "one\n")
        self.write(worker, first, 0, "stderr", "no\n")
        worker.send(type="result", attempt=first, ok=False, error={
            "code": "tool_error", "message": "no", "retryable": True})
        second = worker.skip_to("dispatch")["attempt"]
        self.write(worker, second, 0, "stdout", "two\n")
        number = [int(attempt.split("/")[2]) for attempt in (first, second)]
        expected = [(number[0], "stdout", "one\n", False), (number[0], "stderr", "no\n", False),
                    (number[1], "stdout", "two\n", False)]
        # The worker's lines have arrived when it gets an answer.
        worker.send(type="ping", n=1)
        worker.skip_to("pong")
        self.assertEqual(self.log(run), expected)
        worker.send(type="result", attempt=second, ok=True, output=1)
        self.end(self.peer, run)
        self.assertEqual(self.log(run), expected)
        self.restart()
        self.assertEqual(self.log(run), expected)

    def test_of_a_long_text_the_beginning_and_the_end_are_kept(self):
        worker = self.coordinator.worker(["t"])
        run = self.submit(self.peer, plan(("a", "t", {})), watch="end")
        attempt = worker.skip_to("dispatch")["attempt"]
        lines = [f"{number:07}\n" for number in range(5_000)]
        for number in range(50):
            text = "".join(lines[number * 100:(number + 1) * 100])
            self.write(worker, attempt, number, "stdout", text)
        worker.send(type="ping", n=1)
        worker.skip_to("pong")
        for is_over in (False, True):
            if is_over:
                worker.send(type="result", attempt=attempt, ok=True, output=1)
                self.end(self.peer, run)
            entries = self.log(run)
            text = "".join(entry[2] for entry in entries)
            self.assertLess(len(text), 4 << 10)
            self.assertGreater(len(text), 3 << 10)
            self.assertTrue(text.startswith("".join(lines[:200])))
            self.assertTrue(text.endswith("".join(lines[-200:])))
            self.assertEqual([entry[3] for entry in entries].count(True), 1)

    def test_a_chunk_that_was_lost_shows(self):
        worker = self.coordinator.worker(["t"])
        run = self.submit(self.peer, plan(("a", "t", {})))
        attempt = worker.skip_to("dispatch")["attempt"]
        self.write(worker, attempt, 0, "stdout", "a")
        self.write(worker, attempt, 2, "stdout", "c")
        worker.send(type="ping", n=1)
        worker.skip_to("pong")
        self.assertEqual([entry[2:] for entry in self.log(run)], [("a", False), ("c", True)])

    def test_a_coordinator_that_dies_keeps_what_was_written(self):
        worker = self.coordinator.worker([{"name": "t", "idempotent": True}])
        run = self.submit(self.peer, plan(("a", "t", {})))
        attempt = worker.skip_to("dispatch")["attempt"]
        worker.send(type="started", attempt=attempt)
        self.write(worker, attempt, 0, "stdout", "before\n")
        worker.send(type="ping", n=1)
        worker.skip_to("pong")
        self.assertEqual(len(self.log(run)), 1)
        self.restart()
        self.assertEqual([entry[2] for entry in self.log(run)], ["before\n"])

    def test_bytes_that_are_no_text(self):
        worker = self.coordinator.worker(["t"])
        run = self.submit(self.peer, plan(("a", "t", {})))
        attempt = worker.skip_to("dispatch")["attempt"]
        worker.send(type="chunk", attempt=attempt, seq=0, stream="stdout", encoding="base64",
                    data="/9j/4A==")
        worker.send(type="ping", n=1)
        worker.skip_to("pong")
        document = self.get(self.peer, "logs", id=run, node="a")
        self.assertEqual(document["output"][0]["base64"], "/9j/4A==")


class EphemeralTests(TextTests):
    """The same from memory."""

    options = ("--ephemeral",)
    test_a_coordinator_that_dies_keeps_what_was_written = None

    def restart(self):
        pass


class StoryTests(LogsTest):
    def test_a_story_is_whole_after_a_restart(self):
        worker = self.coordinator.worker([{"name": "t", "idempotent": True}])
        run = self.submit(self.peer, plan(("a", "t", {}), ("b", "t", {}, ["a"])), watch="end")
        self.answer(worker, output="x")
        self.answer(worker, output="y")
        self.end(self.peer, run)
        self.restart()
        story = self.get(self.peer, "story", id=run, node="b")
        self.assertTrue(story["complete"])
        self.assertEqual([record["kind"] for record in story["records"]],
                         ["ready", "dispatched", "succeeded"])
        self.assertIsNone(story["records"][-1]["output"])

    def test_pages(self):
        worker = self.coordinator.worker([{"name": "t", "idempotent": True}])
        tasks = [(f"n{number}", "t", {}) for number in range(30)]
        run = self.submit(self.peer, plan(*tasks), watch="end")
        for _ in tasks:
            self.answer(worker)
        self.end(self.peer, run)
        self.restart()
        kinds, position = [], 0
        while position is not None:
            self.peer.send(type="get", request=7, what="story", id=run, node="n29", limit=1,
                           **{"from": position})
            reply = self.peer.skip_to("reply", request=7)
            kinds += [record["kind"] for record in reply["data"]["records"]]
            position = reply.get("next")
        self.assertEqual(kinds, ["ready", "dispatched", "succeeded"])


class CommandTests(LogsTest):
    def test_weft_logs(self):
        with tempfile.TemporaryDirectory() as folder:
            manifest = Path(folder, "tools.yaml")
            manifest.write_text(
                "tools:\n  - name: talk\n    description: Talks.\n"
                "    parameters: {type: object, properties: {}}\n"
                "    command: [/bin/sh, -c, 'echo out; echo err >&2; exit 3']\n",
                encoding="utf-8")
            place = ["--coordinator", self.coordinator.address, "--state",
                     self.coordinator.folder.name]
            worker = Process([WEFT, "worker", "--tools", str(manifest), *place])
            self.addCleanup(worker.stop)
            worker.wait_for("registered")
            run = self.submit(self.peer, plan(("a", "talk", {})), watch="end")
            self.end(self.peer, run)

            def weft(*arguments):
                return subprocess.run([WEFT, *arguments, *place], capture_output=True, text=True,
                                      timeout=60, check=False)
            shown = weft("logs", run, "a")
            self.assertEqual((shown.returncode, shown.stdout, shown.stderr), (0, "out\n", "err\n"))
            only = weft("logs", run, "a", "--stream", "stdout")
            self.assertEqual((only.stdout, only.stderr), ("out\n", ""))
            none = weft("logs", run, "a", "--attempt", "9")
            self.assertEqual(none.returncode, 1)
            self.assertIn("Nothing is kept of attempt 9", none.stderr)
            self.assertEqual(weft("logs", run, "zz").returncode, 2)


if __name__ == "__main__":
    unittest.main()
