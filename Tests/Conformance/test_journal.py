"""The coordinator's journal from outside: what happens when the coordinator is told to end, when its
disk fails it, and when it is killed again and again while work goes through."""

import contextlib
import gzip
import os
import pathlib
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from peer import PATIENCE, WEFT, Closed, Coordinator, Process
from test_coordinator import plan
from test_restart import RestartTest

KEPT = pathlib.Path(__file__).resolve().parent / "kept"


def check(coordinator):
    """What `weft journal check` finds: its exit code and what it says."""
    done = subprocess.run([WEFT, "journal", "check", "--state", coordinator.folder.name],
                          capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


class JournalTest(RestartTest):
    options = []

    def setUp(self):
        self.coordinator = Coordinator(*self.options, **self.limits)
        self.addCleanup(self.coordinator.stop)

    def held(self, tool="slow", **options):
        """A worker that runs an attempt, and the run, which is followed."""
        worker = self.worker([tool], **options)
        client = self.client()
        run = self.submit(client, plan(("a", tool, {}), ("b", tool, {"x": "${a}"})),
                          watch="end", join="json")
        attempt = worker.skip_to("dispatch")["attempt"]
        worker.send(type="started", attempt=attempt)
        self.get(client, "node", id=run, node="a")
        return worker, client, run, attempt

    def whole(self):
        code, text = check(self.coordinator)
        self.assertEqual(code, 0, text)


class DrainTests(JournalTest):
    options = ["--drain-timeout", "60s"]

    def test_what_runs_may_finish(self):
        worker, client, run, attempt = self.held()
        self.coordinator.process.terminate()
        self.coordinator.process.wait_for("draining")
        client.send(type="submit", key="late", plan=plan(("a", "slow", {})))
        error = client.skip_to("error", about="late")
        self.assertEqual((error["code"], error["fatal"]), ("shutting_down", False))
        worker.send(type="result", attempt=attempt, ok=True, output=7)
        # Nothing new is dispatched; what is on disk is acknowledged.
        self.assertEqual(worker.expect("ack")["attempts"], [attempt])
        for peer in (worker, client):
            self.assertEqual(peer.expect("bye"), {"type": "bye", "reason": "shutting_down",
                                                  "keeps_runs": True})
            peer.expect_end()
        self.assertEqual(self.coordinator.process.exit_code(), 0)
        self.whole()
        self.coordinator.start()
        worker = self.worker(["slow"])
        self.assertEqual(self.answer(worker, output=8)["args"], {"x": 7})
        self.assertEqual(self.end(self.watch(run), run)[-1]["kind"], "run_succeeded")

    def watch(self, run):
        client = self.client()
        client.send(type="watch", run=run, level="end")
        return client

    def test_a_second_signal_stops_at_once(self):
        worker, client, run, attempt = self.held()
        self.coordinator.process.terminate()
        self.coordinator.process.wait_for("draining")
        self.coordinator.process.terminate()
        for peer in (worker, client):
            self.assertIs(peer.expect("bye")["keeps_runs"], True)
            peer.expect_end()
        self.assertEqual(self.coordinator.process.exit_code(), 0)
        self.whole()
        self.coordinator.start()
        worker = self.again(worker, ["slow"], [{"attempt": attempt, "state": "running"}])
        self.assertEqual(worker.registered["adopt"], [attempt])
        worker.send(type="result", attempt=attempt, ok=True, output=7)
        self.answer(worker, output=8)
        self.assertEqual(self.end(self.watch(run), run)[-1]["kind"], "run_succeeded")

    def test_without_work_it_ends_at_once(self):
        client = self.client()
        # Nobody can run it, so there is nothing to wait for.
        self.submit(client, plan(("a", "nowhere", {})))
        self.coordinator.process.terminate()
        self.assertIs(client.skip_to("bye")["keeps_runs"], True)
        self.assertEqual(self.coordinator.process.exit_code(), 0)


class DrainTimeoutTests(JournalTest):
    options = ["--drain-timeout", "200ms"]

    def test_it_waits_no_longer(self):
        worker, client, _, _ = self.held()
        self.coordinator.process.terminate()
        self.coordinator.process.wait_for("time to finish is over")
        self.assertIs(client.expect("bye")["keeps_runs"], True)
        self.assertEqual(self.coordinator.process.exit_code(), 0)
        self.whole()


class NoDrainTests(JournalTest):
    options = ["--drain-timeout", "0s", "--ephemeral"]

    def test_it_ends_at_once_and_says_that_runs_are_lost(self):
        _, client, _, _ = self.held()
        self.coordinator.process.terminate()
        self.assertIs(client.expect("bye")["keeps_runs"], False)
        self.assertEqual(self.coordinator.process.exit_code(), 0)


class SmallDisk(Coordinator):
    """A coordinator whose state folder is a small file system of its own."""

    isMounted = False

    def start(self):
        if not self.isMounted:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "weft",
                                   self.folder.name], capture_output=True, text=True)
            if done.returncode != 0:
                self.folder.cleanup()
                raise unittest.SkipTest(f"a file system cannot be mounted: {done.stderr.strip()}")
            self.isMounted = True
        super().start()

    @property
    def filler(self):
        return pathlib.Path(self.folder.name, "filler")

    def fill(self):
        """Leaves no room."""
        with contextlib.suppress(OSError), open(self.filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def stop(self):
        self.hang_up()
        self.process.stop()
        subprocess.run(["umount", self.folder.name], check=True)
        self.folder.cleanup()


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a small file system")
class FullDiskTests(JournalTest):
    def setUp(self):
        self.coordinator = SmallDisk()
        self.addCleanup(self.coordinator.stop)

    def fill(self):
        """A run whose first output found no room on the disk."""
        worker = self.worker(["slow"])
        client = self.client()
        run = self.submit(client, plan(("a", "slow", {}), ("b", "slow", {}, ["a"])),
                          join="json")
        attempt = worker.skip_to("dispatch")["attempt"]
        self.get(client, "run", id=run)
        self.coordinator.fill()
        worker.send(type="result", attempt=attempt, ok=True, output="x" * 400_000)
        self.coordinator.process.wait_for("journal cannot be written")
        return worker, run, attempt

    def test_runs_go_on_and_others_wait_for_room(self):
        worker, run, first = self.fill()
        other = self.client()
        other.send(type="submit", key="more", plan=plan(("a", "slow", {})))
        error = other.expect("error", code="busy", about="more")
        self.assertIn("full", error["message"])
        self.assertIs(error.get("fatal", False), False)
        # The next node does not wait for the disk; nothing is acknowledged.
        second = worker.receive()
        self.assertEqual(second["type"], "dispatch")
        worker.send(type="result", attempt=second["attempt"], ok=True, output=2)
        worker.expect_silence(0.5)
        self.coordinator.filler.unlink()
        acknowledged = set()
        while acknowledged != {first, second["attempt"]}:
            acknowledged |= set(worker.skip_to("ack")["attempts"])
        self.coordinator.process.wait_for("written again")
        self.submit(other, plan(("a", "slow", {})), key="more")
        self.assertEqual(self.get(self.client(), "answer", id=run),
                         {"a": "x" * 400_000, "b": 2})
        self.whole()

    def test_what_was_not_acknowledged_is_asked_for_again(self):
        worker, run, first = self.fill()
        self.coordinator.kill()
        self.coordinator.filler.unlink()
        self.coordinator.start()
        self.whole()
        worker = self.again(worker, ["slow"], [{"attempt": first, "state": "done"}])
        worker.send(type="result", attempt=first, ok=True, output=1)
        self.answer(worker, output=2)
        client = self.client()
        client.send(type="watch", run=run, level="end")
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")


FAULTY_SYNC = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/syscall.h>
static int fails(void) {
    const char *file = getenv("WEFT_TEST_SYNC_FAILS");
    return file && access(file, F_OK) == 0;
}
int fdatasync(int file) {
    if (fails()) { errno = EIO; return -1; }
    return (int)syscall(SYS_fdatasync, file);
}
int fsync(int file) {
    if (fails()) { errno = EIO; return -1; }
    return (int)syscall(SYS_fsync, file);
}
"""


# No room for more of SQLite's index of its log.
FULL_INDEX = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
ssize_t pwrite64(int file, const void *bytes, size_t count, off_t offset) {
    const char *full = getenv("WEFT_TEST_DISK_FULL");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = full && access(full, F_OK) == 0 ? readlink(link, path, sizeof path) : 0;
    if (length > 4 && memcmp(path + length - 4, "-shm", 4) == 0) { errno = ENOSPC; return -1; }
    return syscall(SYS_pwrite64, file, bytes, count, offset);
}
ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    return pwrite64(file, bytes, count, offset);
}
"""


class FaultyDisk(RestartTest):
    source, variable = None, None

    def setUp(self):
        compiler = shutil.which("cc") or shutil.which("clang")
        if compiler is None:
            self.skipTest("there is no C compiler to make a disk fail with")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        source = pathlib.Path(folder.name, "fault.c")
        source.write_text(self.source)
        library = source.with_suffix(".so")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        self.switch = pathlib.Path(folder.name, "fails")

        class BrokenDisk(Coordinator):
            environment = {"LD_PRELOAD": str(library), self.variable: str(self.switch)}
        self.coordinator = BrokenDisk(**self.limits)
        self.addCleanup(self.coordinator.stop)


class FullIndexTests(FaultyDisk):
    source, variable = FULL_INDEX, "WEFT_TEST_DISK_FULL"

    def test_no_room_for_the_index_of_the_log(self):
        worker = Process([WEFT, "worker", "--coordinator", self.coordinator.address, "--diagnostics",
                          "--key-file", str(pathlib.Path(self.coordinator.folder.name, "worker.key"))])
        self.addCleanup(worker.stop)
        worker.wait_for("registered")
        client = self.client()
        self.switch.touch()
        # Together they need more of the index than there is at first.
        run = self.submit(client, plan(*((f"n{number}", "payload", {"bytes": 6_000_000})
                                         for number in range(3))))
        self.coordinator.process.wait_for("no room on the disk.*journal cannot be written")
        self.switch.unlink()
        self.coordinator.process.wait_for("written again")
        client = self.client()
        client.send(type="watch", run=run, level="end")
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
        code, text = check(self.coordinator)
        self.assertEqual(code, 0, text)


class BrokenDiskTests(FaultyDisk):
    source, variable = FAULTY_SYNC, "WEFT_TEST_SYNC_FAILS"

    def test_a_failed_sync_stops_the_coordinator(self):
        worker = self.worker(["slow"])
        client = self.client()
        run = self.submit(client, plan(("a", "slow", {})))
        attempt = worker.skip_to("dispatch")["attempt"]
        self.switch.touch()
        client.send(type="submit", key="lost", plan=plan(("a", "slow", {})))
        # Nothing is promised any more.
        with self.assertRaises(Closed):
            while True:
                self.assertNotEqual(client.receive()["type"], "accepted")
        self.assertEqual(self.coordinator.process.exit_code(), 1)
        self.coordinator.process.reader.join()
        self.assertRegex(self.coordinator.process.log[-1], "error: .*journal.*")
        self.switch.unlink()
        self.coordinator.start()
        code, text = check(self.coordinator)
        self.assertEqual(code, 0, text)
        worker = self.again(worker, ["slow"], [{"attempt": attempt, "state": "running"}])
        worker.send(type="result", attempt=attempt, ok=True, output=7)
        client = self.client()
        client.send(type="watch", run=run, level="end")
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")


class RefusalTests(RestartTest):
    """Journals with which no coordinator starts."""

    def refusal(self):
        """What a coordinator says that does not start."""
        process = Process(self.coordinator.arguments)
        self.addCleanup(process.stop)
        self.assertEqual(process.exit_code(), 2)
        process.reader.join()
        self.assertEqual(len(process.log), 1, process.log)
        return process.log[0]

    def journal(self):
        return pathlib.Path(self.coordinator.folder.name, "journal.sqlite")

    def test_a_folder_in_use(self):
        self.assertIn("state folder", self.refusal())
        # The first one goes on.
        self.client()

    def test_a_damaged_journal(self):
        self.submit(self.client(), plan(("a", "slow", {})))
        self.coordinator.process.terminate()
        self.assertEqual(self.coordinator.process.exit_code(), 0)
        content = bytearray(self.journal().read_bytes())
        for start in range(4096, len(content), 4096):
            content[start + 1000] ^= 0x55
        self.journal().write_bytes(content)
        self.assertRegex(self.refusal(), "damaged.*weft journal check.*weft journal repair")
        self.assertEqual(check(self.coordinator)[0], 1)


MANIFEST = """
tools:
  - name: once
    description: Say a number, and note that it was said.
    parameters: {type: object, properties: {n: {type: integer}, of: {}}, required: [n]}
    command: [sh, -c, 'echo "$WEFT_RUN/$WEFT_NODE" >> "$0"; sleep 0.02; echo "$1"', "%s", "{n}"]
    output: json
"""


class KillTests(RestartTest):
    """Real processes: a coordinator that is killed again and again, and one worker."""

    RUNS = 50
    KILLS = 10

    def setUp(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.coordinator = Coordinator("--listen", f"127.0.0.1:{port}", heartbeat="500ms")
        self.addCleanup(self.coordinator.stop)
        folder = pathlib.Path(self.coordinator.folder.name)
        self.side_log = folder / "started"
        (folder / "tools.yaml").write_text(MANIFEST % self.side_log)
        worker = Process([WEFT, "worker", "--coordinator", f"127.0.0.1:{port}", "--key-file",
                          str(folder / "worker.key"), "--tools", str(folder / "tools.yaml"),
                          "--name", "real", "--slots", "4"])
        self.addCleanup(worker.stop)

    def patiently(self, body):
        """What a body returns with a client, over as many connections as it takes."""
        deadline = time.monotonic() + 3 * PATIENCE
        while True:
            try:
                if self.idle is None:
                    self.idle = self.client()
                return body(self.idle)
            except (OSError, Closed, AssertionError):
                self.idle = None
                if time.monotonic() > deadline:
                    raise

    def kill_again_and_again(self, source):
        for _ in range(self.KILLS):
            time.sleep(source.uniform(0.05, 0.5))
            self.coordinator.kill()
            self.coordinator.start()

    def accepted(self, number, keys):
        document = plan(("a", "once", {"n": number}), ("b", "once", {"n": number + 1, "of": "$a"}),
                        ("c", "once", {"n": number + 2}))
        return lambda client: self.submit(client, document, key=keys[number], join="json")

    def ended(self, run):
        def body(client):
            client.send(type="watch", run=run, level="end")
            return client.skip_to("event", run=run)
        return body

    def test_every_run_ends_rightly_and_no_tool_starts_twice(self):
        seed = secrets.randbits(32)
        source = random.Random(seed)
        self.idle = None
        killer = threading.Thread(target=self.kill_again_and_again, args=[source])
        killer.start()
        keys = [secrets.token_hex(8) for _ in range(self.RUNS)]
        runs = [self.patiently(self.accepted(number, keys)) for number in range(self.RUNS)]
        self.assertEqual(len(set(runs)), self.RUNS)
        killer.join()
        ends = [self.patiently(self.ended(run)) for run in runs]
        code, text = check(self.coordinator)
        self.assertEqual(code, 0, text)
        started = self.side_log.read_text().split()
        self.assertEqual(len(started), len(set(started)), f"seed {seed}")
        succeeded = 0
        for number, (run, end) in enumerate(zip(runs, ends, strict=True)):
            with self.subTest(f"run {number}, seed {seed}"):
                if end["kind"] == "run_succeeded":
                    succeeded += 1
                    self.assertEqual(self.patiently(lambda c: self.get(c, "answer", id=run)),
                                     {"a": number, "b": number + 1, "c": number + 2})
                    self.assertLessEqual({f"{run}/{node}" for node in "abc"}, set(started))
                    continue
                self.assertEqual(end["kind"], "run_failed")
                self.assertIn("outcome_unknown", str(self.patiently(
                    lambda c: self.get(c, "nodes", id=run))))
        # The worker survives, and so does nearly all that it runs.
        self.assertGreater(succeeded, self.RUNS // 2)
        self.assertEqual(self.patiently(self.accepted(0, keys)), runs[0])


class KeptFileTests(RestartTest):
    """Journals that earlier versions of the records wrote: a run that succeeded, one that failed, and
    one that goes on."""

    def test_a_kept_file_of_version_1_is_read_and_goes_on(self):
        self.check(1)

    def test_a_kept_file_of_version_2_is_read_and_goes_on(self):
        second, client = self.check(2)
        logs = self.get(client, "logs", id=second, node="b")["output"]
        self.assertEqual([output["text"] for output in logs], ["oh no\n"])

    def check(self, version):
        coordinator = self.coordinator
        coordinator.kill()
        path = pathlib.Path(coordinator.folder.name, "journal.sqlite")
        for suffix in ("-wal", "-shm"):
            pathlib.Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(gzip.decompress((KEPT / f"journal-{version}.sqlite.gz").read_bytes()))
        coordinator.start()
        client = self.client()
        runs = {run["label"]: run for run in self.get(client, "runs")}
        self.assertEqual({label: run["status"] for label, run in runs.items()},
                         {"first": "succeeded", "second": "failed", "third": "running"})
        self.assertEqual(self.get(client, "answer", id=runs["first"]["run"]),
                         {"a": "one", "b": "one two"})
        story = self.get(client, "story", id=runs["second"]["run"], node="b")
        self.assertEqual(story["records"][-1]["kind"], "failed")
        third = runs["third"]["run"]
        self.assertEqual(self.get(client, "node", id=third, node="a")["output"], "one")
        client.send(type="watch", run=third, level="end")
        worker = coordinator.worker([{"name": "wait", "idempotent": True}])
        self.answer(worker, output="done")
        self.assertEqual(self.end(client, third)[-1]["kind"], "run_succeeded")
        return runs["second"]["run"], client


if __name__ == "__main__":
    unittest.main()
