"""The container image: a coordinator and a worker with tools work in it, as a user, with a read-only
root and without a shell.
"""

import json
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFT = os.environ.get("WEFT") or str(ROOT / ".build" / "release" / "weft")
RUNTIME = os.environ.get("WEFT_CONTAINERS") or "podman"
"""podman or docker."""
PATIENCE = 30
"""Seconds to wait for something that should happen."""
HARDENED = ["--read-only", "--tmpfs", "/tmp:rw,mode=1777", "--cap-drop=all",
            "--security-opt=no-new-privileges", "--network=host"]

MANIFEST = """
tools:
  - {name: rest, description: Wait for a time in seconds., command: [sleep, "{time}"],
     parameters: {type: object, properties: {time: {type: string}}, required: [time]}}
  - {name: identity, description: Tell about the process that runs this.,
     command: [cat, /proc/self/status], parameters: {type: object}}
"""


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for program in [RUNTIME, "patchelf", "strip"]:
            if shutil.which(program) is None:
                raise unittest.SkipTest(f"there is no {program}")
        cls.name = f"weft-test-{secrets.token_hex(4)}"
        cls.environment = {**os.environ, "WEFT": WEFT}
        cls.build()
        cls.choose_settings()
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.folder.chmod(0o755)
        (cls.folder / "tools.yaml").write_text(MANIFEST)
        cls.start_cluster()

    @classmethod
    def build(cls):
        said = subprocess.run(
            [ROOT / "Deploy" / "image", "--tag", cls.name, "--runtime", RUNTIME, "--with", "sleep",
             "--with", "cat"], env=cls.environment, capture_output=True, text=True)
        if "Cannot connect to the Docker daemon" in said.stderr:
            raise unittest.SkipTest("no docker daemon runs here")
        if said.returncode != 0 or said.stdout.strip() != cls.name:
            raise AssertionError(f"Deploy/image: {said.stdout}{said.stderr}")
        cls.addClassCleanup(cls.call, "rmi", "--force", cls.name)

    @classmethod
    def choose_settings(cls):
        """Settings with which a container starts here, the host's own if they do."""
        says = []
        for settings in [{}, {"CONTAINERS_CONF": str(ROOT / "Tests/Deployment/containers.conf")}]:
            cls.environment.update(settings)
            trial = cls.call("run", "--rm", *HARDENED, cls.name, "--version")
            if trial.returncode == 0:
                return
            says.append(trial.stderr.strip()[-300:])
            # With these numbers the program was never started.
            if trial.returncode not in (125, 126):
                break
        else:
            raise unittest.SkipTest(f"{RUNTIME} starts no container here: {says}")
        raise AssertionError(f"weft does not start in a container: {says}")

    @classmethod
    def call(cls, *arguments, **options):
        return subprocess.run([RUNTIME, *arguments], env=cls.environment, capture_output=True,
                              text=True, timeout=120, **options)

    @classmethod
    def start(cls, name, *arguments, options=(), line=""):
        """Starts a container that is removed at its end."""
        with open(cls.folder / name, "wb") as log:
            process = subprocess.Popen(
                [RUNTIME, "run", "--rm", "--interactive", "--name", name, *HARDENED,
                 "--volume", f"{cls.folder}:/given:ro", *options, cls.name, *arguments],
                env=cls.environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log,
                text=True)
        process.stdin.write(line)
        process.stdin.close()
        cls.addClassCleanup(process.wait, PATIENCE)
        cls.addClassCleanup(cls.call, "rm", "--force", name)
        return process

    @classmethod
    def wait_until(cls, condition, otherwise):
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            if time.monotonic() > deadline:
                logs = [path.read_text() for path in cls.folder.glob(cls.name + "*")]
                raise AssertionError(f"{otherwise}: {logs}")
            time.sleep(0.05)
        return found

    @classmethod
    def start_cluster(cls):
        state = f"{cls.name}-state"
        cls.coordinator = f"{cls.name}-coordinator"
        cls.addClassCleanup(cls.call, "volume", "rm", "--force", state)
        cls.start(cls.coordinator, "coordinator", "--listen", "127.0.0.1:0",
                  options=["--volume", f"{state}:/var/lib/weftline", "--env", "WEFT_TLS=always"])
        cls.address = cls.wait_until(cls.listening, "the coordinator does not listen")
        line = cls.call("exec", cls.coordinator, "weft", "keys", "export", "worker", "--for",
                        cls.address).stdout
        cls.worker = cls.start(
            f"{cls.name}-worker", "worker", "--tools", "/given/tools.yaml", "--name", "inside",
            "--join", "-", line=line)
        cls.wait_until(cls.workers, "no worker arrives")

    @classmethod
    def listening(cls):
        words = (cls.folder / cls.coordinator).read_text().partition("listens on ")[2]
        return words.partition(",")[0]

    @classmethod
    def weft(cls, *arguments):
        """A command beside the coordinator, with its keys."""
        return [RUNTIME, "exec", cls.coordinator, "weft", *arguments, "--coordinator", cls.address]

    @classmethod
    def workers(cls):
        said = subprocess.run(cls.weft("workers", "--json"), env=cls.environment,
                              capture_output=True, text=True)
        return json.loads(said.stdout) if said.returncode == 0 else []

    def run_plan(self, tool, **arguments):
        path = self.folder / f"{tool}.json"
        path.write_text(json.dumps(
            {"tasks": [{"id": "t", "tool_name": tool, "args": arguments}]}))
        return subprocess.Popen(self.weft("run", "--plan", f"/given/{path.name}"),
                                env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def test_1_there_is_no_shell(self):
        for shell in ["sh", "/bin/sh", "/bin/bash"]:
            trial = self.call("run", "--rm", *HARDENED, "--entrypoint", shell, self.name)
            self.assertNotEqual(0, trial.returncode)

    def test_2_a_tool_runs_as_a_user_without_capabilities(self):
        with self.run_plan("identity") as run:
            output, problems = run.communicate(timeout=PATIENCE)
        self.assertEqual(0, run.returncode, problems)
        self.assertRegex(output, r"Uid:\s*65532\s")
        self.assertRegex(output, r"CapBnd:\s*0+\s")
        self.assertRegex(output, r"NoNewPrivs:\s*1")

    def test_3_a_stopped_worker_finishes_what_it_runs(self):
        with self.run_plan("rest", time="3") as run:
            self.wait_until(lambda: any(worker["in_flight"] for worker in self.workers()),
                            "the tool does not start")
            self.call("stop", "--time", str(PATIENCE), f"{self.name}-worker")
            _, problems = run.communicate(timeout=PATIENCE)
        self.assertEqual(0, run.returncode, problems)
        self.assertEqual(0, self.worker.wait(PATIENCE))


if __name__ == "__main__":
    unittest.main()
