"""Launches through a Slurm cluster of two separate hosts."""

import json
import os
import shutil
import subprocess
import time
import unittest

from hosts import SCRIPT, WEFT, eventually
from test_ssh import Launched

FILE = """
coordinator: {listen: "10.99.0.1:7420"}
workers:
  - slurm: {nodes: 2, partition: debug%s}
    tools: tools.yaml
    labels: {zone: s}
"""
TOOLS = """
tools:
  - name: where
    description: Tell the host, and a file beside the manifest.
    parameters: {type: object, additionalProperties: false}
    command: [sh, programs/where.sh]
    idempotent: true
  - name: linger
    description: Take a while.
    parameters: {type: object, additionalProperties: false}
    command: [sleep, "4"]
    idempotent: true
"""


class ThroughSlurm(Launched):
    def setUp(self):
        super().setUp()
        made = subprocess.run([SCRIPT, "slurm", str(self.hosts.folder)], capture_output=True,
                              text=True)
        if made.returncode == 77:
            raise unittest.SkipTest(made.stderr.strip())
        self.assertEqual(made.returncode, 0, made.stderr)
        eventually("the nodes are idle",
                   lambda: self.hosts.run("hub", "sinfo", "-h", "-o", "%D %t") == "2 idle\n")
        self.hosts.write("tools.yaml", TOOLS)
        self.hosts.write("programs/where.sh", "hostname\n")
        # What belongs to the cluster, not to a launch.
        self.baseline = set(self.hosts.leftovers())

    def batches(self):
        return self.hosts.run("hub", "squeue", "-h", "-o", "%k %T").split("\n")[:-1]

    def expect_nothing_left(self, seconds=20):
        eventually(lambda: f"nothing is left: {self.hosts.leftovers()} {self.batches()}",
                   lambda: not self.batches() and not [
                       entry for entry in self.hosts.leftovers()
                       if entry not in self.baseline and "slurm" not in entry.split(":")[1]],
                   seconds)

    def run_plan(self, *tools):
        self.hosts.write("plan.json", json.dumps({"tasks": [
            {"id": f"n{number}", "tool_name": tool, "args": {}} for number, tool
            in enumerate(tools)]}))
        return json.loads(self.hosts.weft("run", "--plan", "plan.json", "--coordinator",
                                          "10.99.0.1:7420", "--json"))

    def test_whole_life(self):
        up = self.up(FILE % "")
        self.wait_for_running("hosts-slurm-1", "hosts-slurm-2")
        answer = self.run_plan(*["where"] * 8)
        self.assertEqual({node["output"] for node in answer["nodes"].values()}, {"a", "b"})
        workers = json.loads(self.hosts.weft("workers", "--coordinator", "10.99.0.1:7420",
                                             "--json"))
        self.assertEqual({worker["host"] for worker in workers}, {"a", "b"})
        # No key in a command line, an environment, or a file, Slurm's own included.
        self.assertEqual(self.hosts.holders_of_keys(), [])

        # More than the cluster has room for: the rest waits, with Slurm's reason.
        self.hosts.weft("launch", "--scale", "slurm=3")
        eventually(lambda: f"one is pending: {self.hosts.launched()}", lambda: any(
            worker["state"] == "pending" and "Resources" in worker.get("note", "")
            for worker in self.hosts.launched().values()))
        self.hosts.weft("launch", "--scale", "slurm=1")
        eventually(lambda: f"one runs: {self.hosts.launched()} {self.batches()}",
                   lambda: len(self.batches()) == 1 and len(self.hosts.running()) == 1)

        # A batch that is cancelled by someone else is submitted again.
        name = self.hosts.running()[0]
        numbers = self.hosts.run("hub", "squeue", "-h", "-o", "%i", "-t", "running").split()
        self.assertEqual(len(numbers), 1)
        self.hosts.run("hub", "scancel", *numbers)
        eventually("it starts again", lambda: self.hosts.launched()[name]["starts"] == 2
                   and self.hosts.running() == [name])
        self.hosts.weft("launch", "--down")
        self.assertEqual(up.wait(20), 0)
        self.expect_nothing_left()

    def test_killed_launcher(self):
        self.up(FILE % "")
        self.wait_for_running("hosts-slurm-1", "hosts-slurm-2")
        pids = self.hosts.run("hub", "pgrep", "-f", "launch hosts.yaml").split()
        self.hosts.run("hub", "kill", "-KILL", *pids)
        self.assertEqual(len(self.batches()), 2)
        # The next launch ends what Slurm has kept.
        self.hosts.write("other.yaml", 'coordinator: {listen: "10.99.0.1:7420"}\n'
                         "workers: [{local: 1, diagnostics: true}]\n")
        self.hosts.weft("launch", "other.yaml", "--detach")
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()

    def test_end_before_the_worker_is_there(self):
        """A batch that runs and has no worker yet is not cancelled: its worker drains."""
        real = shutil.copy("/usr/bin/srun", self.hosts.files / "srun-itself")
        srun = self.hosts.write("srun", "#!/bin/sh\n"
                                f'until [ -e {self.hosts.files}/go ]; do sleep 0.1; done\n'
                                f'exec {real} "$@"\n')
        srun.chmod(0o755)
        for name in self.names:
            self.hosts.run(name, "mount", "--bind", str(srun), "/usr/bin/srun")
        up = self.up(FILE % "")
        eventually("both batches run", lambda: sorted(self.batches()) == [
            "hosts-slurm-1 RUNNING", "hosts-slurm-2 RUNNING"])
        eventually(lambda: f"that is seen: {self.hosts.launched()}", lambda: all(
            worker["state"] == "starting" for worker in self.hosts.launched().values()))
        numbers = self.hosts.run("hub", "squeue", "-h", "-o", "%i").split()
        down = subprocess.Popen(self.hosts.command(
            "hub", *self.hosts.environment(), WEFT, "launch", "--down"))
        eventually(lambda: f"both are to end: {self.hosts.launched()}", lambda: all(
            worker["state"] == "draining" for worker in self.hosts.launched().values()))
        self.hosts.write("go", "")
        self.assertEqual(down.wait(30), 0)
        self.assertEqual(up.wait(20), 0)
        for number in numbers:
            self.assertIn("JobState=COMPLETED",
                          self.hosts.run("hub", "scontrol", "show", "job", number))
        self.expect_nothing_left()

    @unittest.skipUnless(os.environ.get("WEFT_ALL_HOSTS"), "takes a minute: set WEFT_ALL_HOSTS")
    def test_time_limit(self):
        """Workers drain before their time is over: what they run is done, nothing is killed."""
        self.up(FILE % ", time: 1m")
        self.wait_for_running("hosts-slurm-1", "hosts-slurm-2")
        began = time.monotonic()
        eventually("both have left", lambda: all(
            worker["state"] == "ended" for worker in self.hosts.launched().values())
            or not self.hosts.launched(), 90)
        self.assertLess(time.monotonic() - began, 62)
        self.expect_nothing_left()


if __name__ == "__main__":
    unittest.main()
