"""Launches over ssh on hosts that are really separate: workers on both, the survey with nodes pinned
to each, partitions, scaling, and that nothing is left however a launch ends.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import time
import unittest

from hosts import ROOT, WEFT, Hosts, eventually

TREE = "tree"
FILE = """
coordinator: {listen: "10.99.0.1:7420"}
workers:
  - name: first
    ssh: [root@a]
    tools: tools.yaml
    slots: 4
    labels: {host: a}
    env: {SURVEY_TREE: TREE_OF_A}
  - name: second
    ssh: [root@b]
    tools: tools.yaml
    slots: 4
    labels: {host: b}
    env: {SURVEY_TREE: TREE_OF_B}
"""
BESIDE = """
  - name: where
    description: Tell the host and a file beside the manifest.
    parameters: {type: object, additionalProperties: false}
    command: [programs/where.sh, words.txt]
    idempotent: true
  - name: linger
    description: Take a while.
    parameters: {type: object, additionalProperties: false}
    command: [sleep, "3"]
    idempotent: true
"""


class Launched(unittest.TestCase):
    """A test with hosts of its own."""

    names = ("a", "b")

    def setUp(self):
        self.hosts = Hosts(*self.names)
        self.addCleanup(self.hosts.close)
        self.addCleanup(self.tell)

    def tell(self):
        """Shows the outputs when the test has failed."""
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            for process in self.hosts.started:
                print(f"--- {' '.join(process.args[-3:])}\n{process.log.read_text()}")

    def up(self, file, *more):
        self.hosts.write("hosts.yaml", file)
        return self.hosts.start("launch", "hosts.yaml", *more)

    def wait_for_running(self, *names):
        eventually(lambda: f"{names} run: {self.hosts.launched()}",
                   lambda: self.hosts.running() == sorted(names))

    def expect_nothing_left(self, seconds=15):
        eventually(lambda: f"nothing is left: {self.hosts.leftovers()}",
                   lambda: not self.hosts.leftovers(), seconds)


class OverSSH(Launched):
    def prepare_survey(self):
        """A manifest with files beside it, and a small repository on each host."""
        tools = (ROOT / "Deploy" / "demo" / "tools.yaml").read_text()
        self.hosts.write("tools.yaml", tools + BESIDE)
        self.hosts.write("words.txt", "beside\n")
        script = self.hosts.write("programs/where.sh", '#!/bin/sh\necho "$(hostname) $(cat "$1")"\n')
        script.chmod(0o755)
        trees = {}
        for number, name in enumerate(self.names):
            tree = self.hosts.folder / name / "home" / TREE
            (tree / "Sources").mkdir(parents=True)
            (tree / "Tests").mkdir()
            for file in range(number + 2):
                (tree / "Sources" / f"{file}.swift").write_text("func one() {}\n")
            (tree / "Tests" / "a.swift").write_text("@Test\n")
            git = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@example.org"]
            for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "first"]):
                subprocess.run([*git, *words], check=True)
            trees[name] = tree
        return FILE.replace("TREE_OF_A", str(trees["a"])).replace("TREE_OF_B", str(trees["b"]))

    def run_plan(self, plan):
        self.hosts.write("plan.json", json.dumps(plan))
        answer = self.hosts.weft("run", "--plan", "plan.json", "--coordinator", "10.99.0.1:7420",
                                 "--json")
        return json.loads(answer)

    def survey(self, host):
        """The survey with all its nodes pinned to a host."""
        plan = json.loads((ROOT / "Deploy" / "demo" / "survey.json").read_text())
        for node in plan["tasks"]:
            node["requires"] = {"host": host}
        plan["tasks"].append({"id": "where", "tool_name": "where", "args": {},
                              "requires": {"host": host}})
        return plan

    def outputs(self, answer):
        return {name: node.get("output") for name, node in answer["nodes"].items()}

    def test_whole_life(self):
        file = self.prepare_survey()
        up = self.up(file)
        self.wait_for_running("hosts-first-1", "hosts-second-1")

        # The survey on each host, with the files of that host and the program beside the manifest.
        for number, host in enumerate(self.names):
            outputs = self.outputs(self.run_plan(self.survey(host)))
            self.assertEqual(outputs["swift_files"], number + 2)
            self.assertEqual(outputs["where"].split(), [host, "beside"])
        self.assertEqual(self.hosts.holders_of_keys(), [])

        # More workers, on the same host, and fewer.
        self.hosts.weft("launch", "--scale", "first=3")
        self.wait_for_running("hosts-first-1", "hosts-first-2", "hosts-first-3", "hosts-second-1")
        names = {worker["name"] for worker in json.loads(
            self.hosts.weft("workers", "--coordinator", "10.99.0.1:7420", "--json"))}
        self.assertEqual(len(names), 4)
        # A worker that leaves finishes what it runs.
        self.hosts.weft("launch", "--scale", "first=1")
        self.wait_for_running("hosts-first-1", "hosts-second-1")
        self.assertEqual(len(self.hosts.processes("a")), len(self.hosts.processes("b")))

        # The program was copied once, by its content.
        programs = list((self.hosts.folder / "a" / "home" / ".cache").rglob("bin/*/weft"))
        self.assertEqual(len(programs), 1)
        self.assertEqual(programs[0].read_bytes(), pathlib.Path(WEFT).read_bytes())

        self.hosts.weft("launch", "--down")
        self.assertEqual(up.wait(20), 0)
        self.expect_nothing_left()

        # The second launch does not copy it again.
        written = programs[0].stat().st_mtime_ns
        self.hosts.weft("launch", "hosts.yaml", "--detach")
        self.assertEqual(self.hosts.running(), ["hosts-first-1", "hosts-second-1"])
        self.assertEqual(programs[0].stat().st_mtime_ns, written)
        self.hosts.weft("launch", "--down", "--now")
        self.expect_nothing_left()

    def test_killed_launcher(self):
        up = self.up(self.prepare_survey())
        self.wait_for_running("hosts-first-1", "hosts-second-1")
        for args in ("linger",):
            self.hosts.write("linger.json", json.dumps({"tasks": [
                {"id": "a", "tool_name": args, "args": {}}]}))
        run = self.hosts.start("run", "--plan", "linger.json", "--reconnect", "0s",
                               "--coordinator", "10.99.0.1:7420")
        eventually("the node runs", lambda: any(
            "sleep 3" in line for name in self.names for line in self.hosts.processes(name)))
        pids = self.hosts.run("hub", "pgrep", "-f", "launch hosts.yaml").split()
        self.hosts.run("hub", "kill", "-KILL", *pids)
        up.wait(20)
        run.wait(20)
        # Its state is swept by the next launch; all else goes by itself.
        eventually(lambda: f"all goes: {self.hosts.leftovers()}", lambda: not [
            entry for entry in self.hosts.leftovers() if "state/launches" not in entry], 20)
        self.assertEqual(self.hosts.launched(), {})
        self.hosts.weft("launch", "hosts.yaml", "--detach")
        self.assertEqual(self.hosts.running(), ["hosts-first-1", "hosts-second-1"])
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()

    def test_interrupt(self):
        up = self.up(self.prepare_survey())
        self.wait_for_running("hosts-first-1", "hosts-second-1")
        self.hosts.run("hub", "pkill", "-INT", "-f", "launch hosts.yaml")
        self.assertEqual(up.wait(20), 0)
        self.expect_nothing_left()

    @unittest.skipUnless(os.environ.get("WEFT_ALL_HOSTS"), "takes a minute: set WEFT_ALL_HOSTS")
    def test_partitions(self):
        self.up(self.prepare_survey())
        self.wait_for_running("hosts-first-1", "hosts-second-1")
        for direction in ("in", "out"):
            self.hosts.cut("b", direction)
            self.addCleanup(self.hosts.heal, "b")
            eventually("the launch notices", lambda: self.hosts.running() == ["hosts-first-1"], 40)
            # The other host goes on.
            outputs = self.outputs(self.run_plan(self.survey("a")))
            self.assertEqual(outputs["swift_files"], 2)
            self.hosts.heal("b")
            self.wait_for_running("hosts-first-1", "hosts-second-1")
            outputs = self.outputs(self.run_plan(self.survey("b")))
            self.assertEqual(outputs["swift_files"], 3)
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()

    @unittest.skipUnless(os.environ.get("WEFT_ALL_HOSTS"), "takes a minute: set WEFT_ALL_HOSTS")
    def test_end_during_a_partition(self):
        """A host that cannot be reached is given up, and cleans itself when it can be again."""
        self.up(self.prepare_survey())
        self.wait_for_running("hosts-first-1", "hosts-second-1")
        self.hosts.cut("b", "both")
        self.addCleanup(self.hosts.heal, "b")
        self.hosts.weft("launch", "--down")
        self.hosts.heal("b")
        self.expect_nothing_left(90)


class ThroughATunnel(Launched):
    names = ("a",)

    def test_tunnel(self):
        """The host reaches the coordinator through ssh alone: it listens on the hub's loopback."""
        self.up('coordinator: {listen: "127.0.0.1:7420"}\n'
                "workers: [{ssh: [root@a], tunnel: true, diagnostics: true}]\n")
        self.wait_for_running("hosts-ssh-1")
        self.assertEqual(self.hosts.holders_of_keys(), [])
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()


class OneHost(Launched):
    names = ("a",)

    def test_two_connections_and_many_workers(self):
        """Two sites have one home folder, and one has more workers than an sshd's sessions."""
        self.up('coordinator: {listen: "10.99.0.1:7420"}\nworkers:\n'
                "  - {name: many, ssh: [root@a], count: 12, diagnostics: true}\n"
                '  - {name: other, ssh: [root@a], ssh_options: [-o, "LogLevel=ERROR"], '
                "diagnostics: true}\n")
        names = [f"hosts-many-{number}" for number in range(1, 13)] + ["hosts-other-1"]
        self.wait_for_running(*names)
        self.assertEqual(len(self.hosts.launch_folders("a")), 2)
        workers = self.hosts.launched().values()
        self.assertEqual({worker["starts"] for worker in workers}, {1})
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()

    def test_twenty_names_of_one_sshd(self):
        """No connection is dropped by an sshd as it comes, which takes ten at a time."""
        names = [f"a{number}" for number in range(20)]
        self.hosts.call("a", *names)
        up = self.up('coordinator: {listen: "10.99.0.1:7420"}\nworkers:\n'
                     f"  - {{ssh: [{', '.join(f'root@{name}' for name in names)}], "
                     "diagnostics: true, slots: 1}\n"
                     "  - {name: many, ssh: [root@a], count: 29, diagnostics: true, slots: 1}\n")
        self.wait_for_running(*(f"hosts-ssh-{number}" for number in range(1, 21)),
                              *(f"hosts-many-{number}" for number in range(1, 30)))
        self.assertEqual({worker["starts"] for worker in self.hosts.launched().values()}, {1})
        self.assertNotIn("the next try", up.log.read_text())
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()

    def test_another_host_of_that_name(self):
        """Hosts with one name and a shared home folder leave each other's folders alone."""
        self.up('coordinator: {listen: "10.99.0.1:7420"}\n'
                "workers: [{ssh: [root@a], diagnostics: true}]\n")
        self.wait_for_running("hosts-ssh-1")
        launches = self.hosts.folder / "a" / "home" / ".cache" / "weftline" / "launches"
        own = next(launches.iterdir())
        number, start, _, name = (own / ".anchor").read_text().split()
        self.assertEqual(name.split("+")[0], "a")
        folders = {"other": f"{number} 1 other-boot a+another-machine",
                   "rebooted": f"{number} 1 other-boot {name}", "empty": None, ".new": None}
        for folder, holder in folders.items():
            (launches / folder).mkdir()
            if holder:
                (launches / folder / ".anchor").write_text(holder + "\n")
        for folder in ("day", ".day"):
            (launches / folder).mkdir()
            os.utime(launches / folder, (time.time() - 90_000,) * 2)
        self.hosts.write("next.yaml", "coordinator: 10.99.0.1:7420\n"
                         "workers: [{ssh: [root@a], diagnostics: true}]\n")
        self.hosts.weft("launch", "next.yaml", "--detach")
        self.assertEqual(sorted(set(self.hosts.launch_folders("a"))
                                & {*folders, "day", ".day", own.name}),
                         sorted([".new", "empty", "other", own.name]))
        self.hosts.weft("launch", "--down", "--name", "next")
        self.hosts.weft("launch", "--down", "--name", "hosts")

    def test_what_others_left(self):
        """Only folders of this host are removed, and no process that has an old number."""
        cache = self.hosts.folder / "a" / "home" / ".cache" / "weftline"
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        bystander = subprocess.Popen(self.hosts.command("a", "sleep", "1000"))
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        pid = eventually("a process runs", lambda: self.hosts.run(
            "a", "pgrep", "-nx", "sleep", check=False).strip())
        machine = pathlib.Path("/etc/machine-id")
        name = "a+" + (machine.read_text().strip() if machine.exists() else "")
        holders = {"same": f"{pid} 1 {boot} {name}", "rebooted": f"{pid} 1 other-boot {name}",
                   "elsewhere": f"{pid} 1 other-boot b{name[1:]}"}
        for name, holder in holders.items():
            folder = cache / "launches" / name
            folder.mkdir(parents=True)
            (folder / ".anchor").write_text(holder + "\n")
            (folder / ".w.pid").write_text(f"{pid} 1\n")
        # A program that is not complete is copied again.
        digest = hashlib.sha256(pathlib.Path(WEFT).read_bytes()).hexdigest()
        program = cache / "bin" / digest / "weft"
        program.parent.mkdir(parents=True)
        program.touch(0o700)
        self.up('coordinator: {listen: "10.99.0.1:7420"}\n'
                "workers: [{ssh: [root@a], diagnostics: true}]\n")
        self.wait_for_running("hosts-ssh-1")
        left = self.hosts.launch_folders("a")
        self.assertIn("elsewhere", left)
        self.assertEqual(len(left), 2, left)
        self.assertIsNone(bystander.poll())
        self.hosts.weft("launch", "--down")
        eventually("its folder goes", lambda: self.hosts.launch_folders("a") == ["elsewhere"])

    def test_files_that_cannot_be_packed(self):
        """The failure of the first command of a pipe is one, and no key is copied."""
        self.hosts.write("tools.yaml", "tools:" + BESIDE.replace("words.txt", "./data"))
        self.hosts.write("programs/where.sh", "#!/bin/sh\n").chmod(0o755)
        self.hosts.write("data/coordinator.key", "a secret\n")
        self.hosts.write("data/words.txt", "words\n")
        tar = self.hosts.write("tar", "#!/bin/sh\necho 'tar: data: Cannot open' >&2\n"
                               "echo 'tar: Exiting with failure status' >&2\nexit 2\n")
        tar.chmod(0o755)
        self.hosts.run("hub", "mount", "--bind", str(tar), "/usr/bin/tar")
        up = self.up('coordinator: {listen: "10.99.0.1:7420"}\n'
                     "workers: [{ssh: [root@a], tools: tools.yaml}]\n")
        eventually(lambda: f"it is told: {up.log.read_text()}",
                   lambda: "root@a: tar: data: Cannot open" in up.log.read_text())
        self.hosts.run("hub", "umount", "/usr/bin/tar")
        self.wait_for_running("hosts-ssh-1")
        launches = self.hosts.folder / "a" / "home" / ".cache" / "weftline" / "launches"
        self.assertEqual([path.name for path in launches.rglob("data/*")], ["words.txt"])
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()


class Failures(Launched):
    names = ("a",)

    def test_one_of_several(self):
        """A host that cannot be reached is named with the last line of its ssh; the others run."""
        up = self.up('coordinator: {listen: "10.99.0.1:7420"}\n'
                     "workers: [{ssh: [root@a, nobody@a, root@nowhere], diagnostics: true}]\n")
        eventually(lambda: f"one fails: {self.hosts.launched()}", lambda: sorted(
            worker["state"] for worker in self.hosts.launched().values())
            in (["failed", "running", "waiting"], ["failed", "failed", "running"]))
        said = up.log.read_text()
        self.assertIn("nobody@a: nobody@a: Permission denied (publickey).", said)
        self.assertIn("root@nowhere: ssh: Could not resolve hostname nowhere", said)
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()

    def test_wrong_system(self):
        """A host of another kind is told from the first answer, before anything is copied."""
        place = self.hosts.folder / "a" / "sshd"
        place.joinpath("uname").write_text("#!/bin/sh\necho Linux aarch64\n")
        place.joinpath("uname").chmod(0o755)
        self.hosts.run("a", "mount", "--bind", str(place / "uname"), "/usr/bin/uname")
        up = self.up('coordinator: {listen: "10.99.0.1:7420"}\n'
                     "workers: [{ssh: [root@a], diagnostics: true}]\n")
        self.assertEqual(up.wait(20), 1)
        self.assertIn("root@a: it is Linux aarch64, and this weft is for Linux x86_64",
                      up.log.read_text())
        self.assertFalse((self.hosts.folder / "a" / "home" / ".cache" / "weftline" / "bin").exists())
        self.expect_nothing_left()

    def test_dry_run_has_no_secret(self):
        self.hosts.write("hosts.yaml", "coordinator: 10.99.0.1:7420\n"
                         "workers: [{ssh: [root@a], diagnostics: true}, {local: 1, "
                         "diagnostics: true}]\n")
        shown = self.hosts.weft("launch", "hosts.yaml", "--dry-run")
        self.assertIn("ssh -T -a -x -o BatchMode=yes", shown)
        self.assertIn("--join -", shown)
        self.assertEqual(self.hosts.processes("a"), [])

    def test_worker_that_is_killed(self):
        self.up('coordinator: {listen: "10.99.0.1:7420"}\n'
                "workers: [{ssh: [root@a], diagnostics: true}]\n")
        self.wait_for_running("hosts-ssh-1")
        # The first is what the end of its host looks like: it drains, but not by itself.
        for starts, signal in ((2, "-TERM"), (3, "-KILL")):
            self.hosts.run("a", "pkill", signal, "-f", "worker --join")
            eventually("it starts again", lambda: self.hosts.launched().get("hosts-ssh-1", {})
                       .get("starts") == starts)
            self.wait_for_running("hosts-ssh-1")
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()


class Many(Launched):
    names = tuple(f"h{number}" for number in range(20))

    @unittest.skipUnless(os.environ.get("WEFT_ALL_HOSTS"), "twenty hosts: set WEFT_ALL_HOSTS")
    def test_twenty_at_once(self):
        hosts = ", ".join(f"root@{name}" for name in self.names)
        started = time.monotonic()
        self.hosts.write("hosts.yaml", 'coordinator: {listen: "10.99.0.1:7420"}\n'
                         f"workers: [{{ssh: [{hosts}], diagnostics: true, slots: 1}}]\n")
        self.hosts.weft("launch", "hosts.yaml", "--detach")
        self.assertEqual(len(self.hosts.running()), 20)
        print(f"twenty hosts after {time.monotonic() - started:.1f} s")
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()


if __name__ == "__main__":
    unittest.main()
