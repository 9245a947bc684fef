"""Tools that use more than they may, or reach for what is not theirs: what contains them, seen from
outside. The tools are small programs of a manifest, run by `weft run` with workers of its own."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from peer import PATIENCE, WEFT, Coordinator, Process

# Not one below a home, which other users cannot execute.
PYTHON = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin") or sys.executable
LIMITED = {
    "cpu": (["sh", "-c", "while :; do :; done"], {"cpu": "1s"}, "cpu: 1s"),
    # It ignores the signal that it gets first.
    "deaf": ([PYTHON, "-c", "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
              "while True: pass"], {"cpu": "1s"}, "cpu: 1s"),
    "memory": ([PYTHON, "-c", "bytearray(300 << 20)"], {"memory": "100MiB"}, "memory: 100MiB"),
    "file": (["dd", "if=/dev/zero", "of=big", "bs=1M", "count=10"],
             {"file_size": "2MiB"}, "file_size: 2MiB"),
    # Python ignores the signal, so only its words tell.
    "words": ([PYTHON, "-c", "open('big', 'wb').write(b'x' * 3000000)"],
              {"file_size": "2MiB"}, "file_size: 2MiB"),
    "files": ([PYTHON, "-c", "held = [open('/dev/null') for _ in range(100)]"],
              {"files": 32}, "files: 32"),
}


def runs(*command):
    try:
        return subprocess.run(command, capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


OTHER_USER = [shutil.which("setpriv") or "setpriv", "--reuid", "65534", "--regid", "65534",
              "--clear-groups"]
HAS_BUBBLEWRAP = runs("bwrap", "--unshare-user-try", "--unshare-pid", "--unshare-net", "--ro-bind",
                      "/", "/", "--dev", "/dev", "--proc", "/proc", "--", "true")


def landlock_version():
    import ctypes
    version = ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1)
    return max(version, 0)


def processes_with(mark):
    """The command lines of processes that have a mark in them."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark.encode() in words and state not in "ZX":
                found.append(words)
    return found


class Containment(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-contain-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    before = ()
    """The words before those of `weft`."""

    def can_be_another(self):
        self.folder.chmod(0o777)
        return os.geteuid() == 0 and runs(*OTHER_USER, WEFT, "--version")

    def run_tools(self, tools, sandbox=None, path=None, timeouts={}):
        """Runs each tool once, all at a time; its node in the run's document by its name."""
        manifest, plan = self.folder / "tools.yaml", self.folder / "plan.json"
        entries = [{"name": name, **fields} for name, fields in tools.items()]
        manifest.write_text(json.dumps({"tools": entries}))
        plan.write_text(json.dumps({"tasks": [
            {"id": name, "tool_name": name, "args": {}, "max_attempts": 1,
             "timeout_ms": timeouts.get(name, 20000)} for name in tools]}))
        environment = {**os.environ, "TMPDIR": "/tmp", "HOME": str(self.folder)}
        if sandbox:
            environment["WEFT_SANDBOX"] = sandbox
        if path:
            environment["PATH"] = path
        done = subprocess.run(
            [*self.before, WEFT, "run", "--plan", str(plan), "--tools", str(manifest), "--json",
             "--join", "json", "--workers", "1", "--slots", "8", "--on-missing-tool", "fail"],
            env=environment, capture_output=True, timeout=60)
        try:
            return json.loads(done.stdout)["nodes"]
        except ValueError:
            self.fail(done.stderr.decode() + done.stdout.decode())

    def assertReached(self, node, limit):
        error = node["error"]
        self.assertEqual(error["code"], "tool_limit", error)
        self.assertIn(f"limit of {limit}", error["message"])
        self.assertFalse(error["retryable"])


class LimitTests(Containment):
    def assertLimitsHold(self):
        nodes = self.run_tools(
            {name: {"command": command, "limits": limits}
             for name, (command, limits, _) in LIMITED.items()})
        for name, (_, _, limit) in LIMITED.items():
            with self.subTest(name):
                self.assertReached(nodes[name], limit)

    def test_a_tool_that_reaches_a_limit_fails_and_names_it(self):
        self.assertLimitsHold()

    def test_also_those_of_a_user_who_is_not_root(self):
        if not self.can_be_another():
            self.skipTest("needs root, setpriv, and a weft that others can execute")
        self.before = OTHER_USER
        self.assertLimitsHold()

    def test_a_tool_that_multiplies(self):
        starts = ("import os, time\nfor i in range(50):\n    if os.fork() == 0:\n"
                  "        time.sleep(60)\n")
        mark = f"weft-bomb-{os.getpid()}"
        probe = self.run_tools({"fifty": {"command": [PYTHON, "-c", starts],
                                          "limits": {"processes": 20}}})["fifty"]
        if probe["status"] == "succeeded":
            self.skipTest("the processes of a tool cannot be limited here")
        self.assertIn("at its limit of processes: 20", probe["error"]["message"])
        bomb = ("import os\nwhile True:\n    try:\n        if os.fork() == 0: os.setsid()\n"
                "    except OSError: pass\n# " + mark)
        nodes = self.run_tools(
            {"bomb": {"command": [PYTHON, "-c", bomb], "limits": {"processes": 30}},
             "other": {"command": ["sleep", "0.2"]}},
            timeouts={"bomb": 500})
        self.assertEqual(nodes["bomb"]["error"]["code"], "timeout")
        self.assertEqual(nodes["other"]["status"], "succeeded")
        self.assertEqual(processes_with(mark), [])

    def test_what_every_tool_has(self):
        status = ("import os\nwords = dict(line.split(':', 1) for line in "
                  "open('/proc/self/status') if ':' in line)\n"
                  "print(words['NoNewPrivs'].strip(), os.getsid(0) == os.getpid(), "
                  "sorted(os.listdir('/proc/self/fd')))\n")
        fields = {"command": [PYTHON, "-c", status]}
        nodes = self.run_tools({"plain": fields, "keeping": {**fields, "privileges": "keep"}})
        # The fourth is the folder itself that is listed.
        self.assertEqual(nodes["plain"]["output"], "1 True ['0', '1', '2', '3']")
        self.assertEqual(nodes["keeping"]["output"], "0 True ['0', '1', '2', '3']")


class Sandboxed:
    """What holds for any sandbox."""

    SANDBOX = None
    PATH = None

    def run_in(self, script, timeout=20000, **sandbox):
        fields = {"command": ["sh", "-c", script], "sandbox": sandbox}
        return self.run_tools({"tool": fields}, self.SANDBOX, self.PATH,
                              timeouts={"tool": timeout})["tool"]

    def test_only_what_is_named_can_be_read(self):
        secret, allowed = self.folder / "secret", self.folder / "allowed"
        secret.write_text("the secret")
        allowed.mkdir()
        (allowed / "data").write_text("the data\n")
        script = f"cat {allowed}/data; cat {secret} /etc/shadow; ls {self.folder}; true"
        node = self.run_in(script, read=[str(allowed)])
        self.assertEqual(node["output"].split("\n")[0], "the data")
        self.assertNotIn("secret", node["output"])
        self.assertNotIn("root:", node["output"])
        # Without a list everything can be read, but for the temporary files of others.
        node = self.run_in(f"cat {secret}")
        self.assertEqual(node["output"], "the secret")
        with tempfile.NamedTemporaryFile("w", dir="/tmp") as other:
            other.write("of another")
            other.flush()
            self.assertEqual(self.run_in(f"cat {other.name} || echo closed")["output"], "closed")

    def test_only_the_working_folder_can_be_written(self):
        victim, allowed = self.folder / "victim", self.folder / "allowed"
        victim.write_text("as it was")
        allowed.mkdir()
        script = (f"echo x > {victim}; echo x > {self.folder}/new; rm {victim}; "
                  f"truncate -s 0 {victim}; echo x > /usr/lib/new; "
                  # Of the same value, lest it does harm.
                  "switch=/proc/sys/kernel/core_uses_pid; cat $switch > $switch && echo switched; "
                  "echo mine > own && cat own; echo x > /dev/null && echo null")
        node = self.run_in(script)
        self.assertEqual(node["output"], "mine\nnull")
        self.assertEqual(victim.read_text(), "as it was")
        self.assertFalse((self.folder / "new").exists())
        self.run_in(f"echo x > {allowed}/new", write=[str(allowed)])
        self.assertEqual((allowed / "new").read_text(), "x\n")

    def test_it_is_as_closed_for_a_user_who_is_not_root(self):
        if not self.can_be_another():
            self.skipTest("needs root, setpriv, and a weft that others can execute")
        (self.folder / "seen").write_text("what all may read")
        self.before = OTHER_USER
        script = (f"cat {self.folder}/seen; echo x > {self.folder}/new; "
                  f"{PYTHON} -c 'import socket; socket.create_connection((\"127.0.0.1\", 1))'")
        node = self.run_in(script + " 2>&1 | tail -1")
        self.assertIn("what all may read", node["output"])
        self.assertRegex(node["output"], "refused|unreachable|Permission denied|not permitted")
        self.assertFalse((self.folder / "new").exists())
        node = self.run_in(f"cat {self.folder}/seen || echo closed", read=[])
        self.assertEqual(node["output"], "closed")

    def test_the_network(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            script = (f"{PYTHON} -c \"import socket; "
                      f"socket.create_connection(('127.0.0.1', {port}), 5); print('there')\"")
            node = self.run_in(script)
            self.assertEqual(node["status"], "failed")
            server.settimeout(0)
            self.assertRaises(OSError, server.accept)
            self.assertEqual(self.run_in(script, network="host")["output"], "there")

    def test_it_ends_as_other_tools_do(self):
        mark = f"weft-escape-{os.getpid()}-{self.SANDBOX}"
        script = (f"(setsid sh -c 'sleep 100 # {mark}' &) & "
                  "trap 'echo asked >&2; exit 0' TERM; while :; do sleep 0.05; done")
        node = self.run_in(script, timeout=700)
        self.assertEqual(node["error"]["code"], "timeout")
        self.assertIn("asked", node["error"].get("stderr_tail", ""))
        self.assertEqual(processes_with(mark), [])
        node = self.run_in("kill -SEGV $$")
        self.assertIn("was killed by SIGSEGV", node["error"]["message"])

    def test_a_program_that_stays(self):
        victim = self.folder / "victim"
        script = ("import json, sys\nfor line in sys.stdin:\n    call = json.loads(line)\n"
                  f"    try: output = open('{victim}', 'w').close()\n"
                  "    except OSError as error: output = error.strerror\n"
                  "    print(json.dumps(dict(id=call['id'], output=output)), flush=True)\n")
        nodes = self.run_tools(
            {"kept": {"command": [PYTHON, "-c", script], "persistent": True, "sandbox": {}},
             "full": {"command": [PYTHON, "-c", "input(); bytearray(300 << 20)"],
                      "persistent": True, "sandbox": {}, "limits": {"memory": "100MiB"}}},
            self.SANDBOX, self.PATH)
        self.assertIn(nodes["kept"]["output"], ["Read-only file system", "Permission denied"])
        self.assertReached(nodes["full"], "memory: 100MiB")

    def test_limits_hold_in_it(self):
        nodes = self.run_tools(
            {name: {"command": command, "limits": limits, "sandbox": {}}
             for name, (command, limits, _) in LIMITED.items() if name != "deaf"},
            self.SANDBOX, self.PATH)
        for name, node in nodes.items():
            with self.subTest(name):
                self.assertReached(node, LIMITED[name][2])


@unittest.skipUnless(HAS_BUBBLEWRAP, "bubblewrap is not installed or may not make namespaces here")
class BubblewrapTests(Sandboxed, Containment):
    SANDBOX = "bubblewrap"

    def test_temporary_files_are_its_own(self):
        node = self.run_in("echo x > /tmp/mine && cat /tmp/mine && ls /tmp")
        self.assertEqual(node["output"].split("\n")[:2], ["x", "mine"])
        self.assertFalse(os.path.exists("/tmp/mine"))


@unittest.skipUnless(landlock_version() >= 3, "the system has no Landlock of version 3 or newer")
class LandlockTests(Sandboxed, Containment):
    """Where there is no bubblewrap to be found."""

    @classmethod
    def setUpClass(cls):
        programs = pathlib.Path(tempfile.mkdtemp(prefix="weft-programs-", dir="/var/tmp"))
        cls.addClassCleanup(shutil.rmtree, programs)
        programs.chmod(0o755)
        for name in ["sh", "cat", "ls", "rm", "truncate", "setsid", "sleep", "dd", "tail"]:
            (programs / name).symlink_to(shutil.which(name))
        cls.PATH = str(programs)


class WorkerTests(Containment):
    def test_nothing_is_left_of_a_worker_that_was_killed(self):
        place, manifest = self.folder / "place", self.folder / "tools.yaml"
        mark = f"weft-hold-{os.getpid()}"
        place.mkdir()
        script = f"cat /proc/self/cgroup > {self.folder}/new; mv {self.folder}/new {place}/groups;"
        manifest.write_text(json.dumps({"tools": [
            {"name": "hold", "command": ["sh", "-c", f"{script} sleep 100 # {mark}"],
             "limits": {"processes": 10, "memory": "1GiB"}}]}))
        coordinator = Coordinator()
        self.addCleanup(coordinator.stop)
        worker = Process(
            [WEFT, "worker", "--coordinator", coordinator.address, "--tools", str(manifest),
             "--state", coordinator.folder.name, "--name", "w1"], {"TMPDIR": str(place)})
        self.addCleanup(worker.stop)
        worker.wait_for("registered")
        client = coordinator.greet("client")
        client.send(type="submit", key="k", plan={"tasks": [
            {"id": "a", "tool_name": "hold", "args": {}}]})
        client.expect("accepted", key="k")
        self.eventually(lambda: (place / "groups").exists(), "the tool runs")
        names = {line.rpartition("/")[2] for line in (place / "groups").read_text().split("\n")
                 if line.rpartition("/")[2].startswith("weft-")}
        self.assertTrue(list(place.glob("weft-worker-*")))
        worker.process.kill()
        self.eventually(lambda: not list(place.glob("weft-worker-*")), "its folder is gone")
        self.eventually(lambda: not processes_with(mark), "its processes are gone")
        for name in names:
            find = ["find", "/sys/fs/cgroup", "-type", "d", "-name", name]
            self.eventually(lambda: not subprocess.run(find, capture_output=True).stdout,
                            "its control groups are gone")

    def eventually(self, condition, words):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, words)
            time.sleep(0.02)


class RefusalTests(Containment):
    def test_a_tool_without_its_sandbox_is_not_offered(self):
        manifest = self.folder / "tools.yaml"
        manifest.write_text(json.dumps({"tools": [
            {"name": "closed", "command": ["touch", str(self.folder / "ran")], "sandbox": {}},
            {"name": "open", "command": ["true"]}]}))
        coordinator = Coordinator()
        self.addCleanup(coordinator.stop)
        worker = Process(
            [WEFT, "worker", "--coordinator", coordinator.address, "--tools", str(manifest),
             "--state", coordinator.folder.name, "--name", "w1"], {"WEFT_SANDBOX": "none"})
        self.addCleanup(worker.stop)
        worker.wait_for("no sandboxes can be made, since WEFT_SANDBOX is none")
        worker.wait_for("WEFT_SANDBOX is none.*tool not offered")
        worker.wait_for("registered")
        client = coordinator.greet("client")
        client.send(type="get", what="workers", request=1)
        answer = client.expect("reply", request=1)
        self.assertIn("only run in a sandbox", json.dumps(answer))
        self.assertFalse((self.folder / "ran").exists())

    def test_mistakes_are_said_with_their_place(self):
        manifest = self.folder / "tools.yaml"
        manifest.write_text("""tools:
  - name: wrong
    command: ["true"]
    limits: {cpu: 1500ms, memory: 3, files: 1, memry: 1}
    sandbox: {network: some, read: /etc, write: [../up]}
    privileges: keep
""")
        plan = self.folder / "plan.json"
        plan.write_text('{"tasks": []}')
        done = subprocess.run([WEFT, "plan", "--check", str(plan), "--tools", str(manifest)],
                              capture_output=True, timeout=PATIENCE)
        said = (done.stdout + done.stderr).decode()
        self.assertEqual(done.returncode, 2, said)
        for words in ["4: wrong: cpu: must be whole seconds", "memory: must be from 1MiB",
                      "files: must be a whole number from 8", "memry: is not a field",
                      "5: wrong: network: must be none or host", "read: must be a list of paths",
                      "write: names ../up", "6: wrong: privileges: cannot be kept in a sandbox"]:
            self.assertIn(words, said)


if __name__ == "__main__":
    unittest.main()
