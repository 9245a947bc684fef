"""Launches as their coordinator knows them: real ones, which change, break and end; and coordinators
that know nothing of launches."""

import json
import os
import pathlib
import secrets
import subprocess
import tempfile
import time
import unittest

from page import Page
from peer import PATIENCE, WEFT, Listener, Process

AWAY = """
  - {ssh: [nobody@127.0.0.1], name: away, tunnel: true, ssh_options: ["-p", "1"], diagnostics: true}
"""


class LaunchTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name, "hosts.yaml")

    def start(self, page, file):
        self.file.write_text(file)
        launch = Process([WEFT, "launch", str(self.file), *page.arguments])
        self.addCleanup(launch.stop)
        return launch

    def wait_for(self, page, words, is_right):
        """The launches, as soon as they are right."""
        deadline = time.monotonic() + PATIENCE
        while not is_right(found := json.loads(
                page.request("GET", "/v1/launches", token=page.viewer)[2])["launches"]):
            self.assertLess(time.monotonic(), deadline, f"{words}: {found}")
            time.sleep(0.02)
        return found

    def page(self):
        page = Page()
        self.addCleanup(page.stop)
        page.viewer = page.token()
        return page

    def test_a_launch_that_changes_breaks_and_ends(self):
        page = self.page()
        launch = self.start(page, "workers:\n  - {local: 1, slots: 3, diagnostics: true}\n" + AWAY)

        def groups(launches):
            return {group["name"]: (group["kind"], group["running"], group["wanted"])
                    for group in launches[0]["groups"]} if launches else {}

        expected = {"local": ("local", 1, 1), "away": ("ssh", 0, 1)}
        found = self.wait_for(page, "one runs, one does not", lambda found: (
            groups(found) == expected
            and any(member.get("note") for member in found[0]["members"])))[0]
        self.assertEqual((found["name"], found["state"], found["reported_by"], found["pid"]),
                         ("hosts", "connected", "client", launch.process.pid))
        members = {member["name"]: member for member in found["members"]}
        self.assertEqual(list(members), ["hosts-away-1", "hosts-local-1"])
        self.assertIn(members["hosts-away-1"]["state"], ("waiting", "copying", "failed"))
        self.assertEqual((members["hosts-local-1"]["state"], members["hosts-local-1"]["slots"]),
                         ("running", 3))

        page.coordinator.kill()
        page.coordinator.arguments[page.coordinator.arguments.index("--listen") + 1] = (
            page.coordinator.address)
        page.coordinator.start()
        page.note_port()
        self.wait_for(page, "it is there again", lambda found: groups(found) == expected)

        subprocess.run([WEFT, "launch", "--scale", "local=2", "--state",
                        page.coordinator.folder.name], check=True, capture_output=True)
        self.wait_for(page, "it has grown", lambda found: (
            groups(found)["local"] == ("local", 2, 2)))
        launch.terminate()
        self.assertEqual(launch.exit_code(), 0)
        self.assertEqual(json.loads(
            page.request("GET", "/v1/launches", token=page.viewer)[2])["launches"], [])

    def test_a_launch_that_is_killed_is_gone_for_a_while(self):
        page = self.page()
        launch = self.start(page, "workers:\n" + AWAY)
        self.wait_for(page, "it is there", bool)
        launch.process.kill()
        self.wait_for(page, "it is gone", lambda found: found[0]["state"] == "gone")

    def test_a_log_for_programs(self):
        self.file.write_text('coordinator: {listen: "127.0.0.1:0"}\n'
                             "workers: [{local: 1, diagnostics: true}]\n")
        launch = Process([WEFT, "launch", str(self.file), "--log-format", "json", "--state",
                          str(self.file.parent / "state")])
        self.addCleanup(launch.stop)
        launch.wait_for("hosts-local-1 running")
        launch.terminate()
        self.assertEqual(launch.exit_code(), 0)
        launch.reader.join()
        lines = [json.loads(line) for line in launch.log]
        for line in lines:
            self.assertRegex(line["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertEqual((line["component"], line["launch"]), ("launch", "hosts"))
        self.assertIn("the coordinator listens on", lines[0]["message"])
        states = [line["state"] for line in lines if "state" in line]
        # Changes in quick succession are told together.
        self.assertEqual([state for state in states if state in ("running", "ended")],
                         ["running", "ended"])
        running = next(line for line in lines if line.get("state") == "running")
        self.assertEqual((running["group"], running["member"], running["site"], running["level"]),
                         ("local", "hosts-local-1", "this host", "info"))

    def test_a_coordinator_that_does_not_know_launches(self):
        key = secrets.token_bytes(32)
        listener = Listener(key)
        self.addCleanup(listener.close)
        state = self.file.parent / "state"
        state.mkdir(mode=0o700)
        for role in ("worker", "client", "viewer"):
            path = state / f"{role}.key"
            path.write_text(key.hex() + "\n")
            os.chmod(path, 0o600)
        self.file.write_text("workers: [{local: 2, diagnostics: true}]\n")
        launch = Process([WEFT, "launch", str(self.file), "--coordinator", listener.address,
                          "--state", str(state)])
        self.addCleanup(launch.stop)
        client = listener.shake_hands(role="client")
        client.expect("launch")
        client.send(type="error", code="unknown_type", message="There is no launch.", fatal=False)
        # Its workers come, and it says no more of itself; its pings are answered meanwhile.
        workers = [listener.ready(), listener.ready()]
        client.expect_silence(1.3)
        launch.terminate()
        for worker in workers:
            worker.skip_to("drain")
            worker.send(type="bye", reason="drained")
        self.assertEqual(launch.exit_code(), 0)


if __name__ == "__main__":
    unittest.main()
