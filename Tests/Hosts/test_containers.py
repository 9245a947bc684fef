"""Launches of workers in containers on this host, by podman or docker where one of them works."""

import io
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import tarfile
import tempfile
import unittest

from hosts import ROOT, WEFT, eventually

RUNTIME = os.environ.get("WEFT_CONTAINERS") or "podman"
FOLDERS = ["/usr", "/lib", "/lib64", "/bin", "/opt"]
TOOLS = """
tools:
  - name: where
    description: Tell a file beside the manifest.
    parameters: {type: object, additionalProperties: false}
    command: [cat, words.txt]
    idempotent: true
"""


class InContainers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            raise unittest.SkipTest("containers are tried by root only")
        if shutil.which(RUNTIME) is None:
            raise unittest.SkipTest(f"there is no {RUNTIME}")
        cls.image = f"weft-test-{secrets.token_hex(4)}"
        cls.environment = {**os.environ, "SWIFT_BACKTRACE": "enable=no"}
        cls.make_image()

    @classmethod
    def call(cls, *arguments, **options):
        return subprocess.run([RUNTIME, *arguments], env=cls.environment, capture_output=True,
                              text="input" not in options, timeout=60, **options)

    @classmethod
    def make_image(cls):
        """An image with nothing but mount points: the programs are those of this host."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for folder in [*FOLDERS, "/weft", "/tmp", "/etc", "/launch"]:
                entry = tarfile.TarInfo(folder[1:])
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "/tmp" else 0o755
                tar.addfile(entry)
        made = cls.call("import", "--change", 'ENTRYPOINT ["/weft/weft"]', "-", cls.image,
                        input=packed.getvalue())
        if made.returncode != 0:
            raise unittest.SkipTest(f"{RUNTIME} makes no image here: {made.stderr[-300:]}")
        cls.addClassCleanup(cls.call, "rmi", "--force", cls.image)
        cls.options = ["--network=host", f"--volume={pathlib.Path(WEFT).parent}:/weft:ro"]
        cls.options += [f"--volume={folder}:{folder}:ro" for folder in FOLDERS]
        says = []
        for settings in [{}, {"CONTAINERS_CONF": str(ROOT / "Tests/Deployment/containers.conf")}]:
            cls.environment.update(settings)
            trial = cls.call("run", "--rm", *cls.options, cls.image, "--version")
            if trial.returncode == 0:
                return
            says.append(trial.stderr.strip()[-300:])
        raise unittest.SkipTest(f"{RUNTIME} starts no container here: {says}")

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(
            tempfile.TemporaryDirectory(prefix="weft-hosts-", dir="/var/tmp")))
        self.folder.chmod(0o755)
        (self.folder / "tools.yaml").write_text(TOOLS)
        (self.folder / "words.txt").write_text("beside")
        (self.folder / "hosts.yaml").write_text(
            'coordinator: {listen: "127.0.0.1:0"}\n'
            "workers:\n"
            f"  - container: {{image: {self.image}, count: 2, runtime: {RUNTIME}, "
            f"args: {json.dumps(self.options)}}}\n"
            "    tools: tools.yaml\n    slots: 2\n")
        self.variables = {**self.environment, "WEFT_STATE_DIR": str(self.folder / "state")}

    def weft(self, *words, check=True):
        ended = subprocess.run([WEFT, *words], env=self.variables, cwd=self.folder,
                               capture_output=True, text=True, stdin=subprocess.DEVNULL,
                               timeout=120)
        if check and ended.returncode != 0:
            raise AssertionError(f"weft {words}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def status(self):
        return json.loads(self.weft("launch", "--status", "--json"))

    def containers(self):
        return self.call("ps", "--all", "--format", "{{.Names}}", "--filter",
                         "name=hosts-container").stdout.split()

    def tearDown(self):
        self.weft("launch", "--down", "--now", check=False)
        for name in self.containers():
            self.call("rm", "--force", name)

    def test_whole_life(self):
        self.weft("launch", "hosts.yaml", "--detach")
        self.assertEqual(len(self.containers()), 2)
        (self.folder / "plan.json").write_text(
            '{"tasks":[{"id":"a","tool_name":"where","args":{}}]}')
        answer = json.loads(self.weft("run", "--plan", "plan.json", "--coordinator",
                                      self.status()["coordinator"], "--json"))
        self.assertEqual(answer["nodes"]["a"]["output"], "beside")
        key = (self.folder / "state" / "worker.key").read_text().strip()
        inspected = self.call("inspect", *self.containers()).stdout
        self.assertNotIn(key, inspected)
        self.weft("launch", "--scale", "container=1")
        eventually("one has left", lambda: len(self.containers()) == 1)
        self.weft("launch", "--down")
        self.assertEqual(self.containers(), [])

    def test_killed_launcher(self):
        """Containers end with their input, which is the launcher's."""
        self.weft("launch", "hosts.yaml", "--detach")
        pids = subprocess.run(["pgrep", "-f", "--", f"--state {self.folder}.* --in-background"],
                              capture_output=True, text=True, check=True).stdout.split()
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)
        eventually(lambda: f"none is left: {self.containers()}", lambda: not self.containers())


if __name__ == "__main__":
    unittest.main()
