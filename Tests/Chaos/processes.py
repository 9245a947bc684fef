"""The processes of a chaos session, its folders, and what of them is left over."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import tools

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Conformance"))

from peer import WEFT, Closed, Coordinator, Peer  # noqa: E402

HEARTBEAT, LEASE = 0.3, 1.8
LIMITS = ("limits: {heartbeat: 300ms, lease: 1800ms, resume_window: 600ms, cancel_grace: 1s, "
          "handshake: 3s}\n")
PATIENCE = 60 * float(os.environ.get("WEFT_PATIENCE", "1"))
"""Seconds within which all has to be well again when faults have ended."""
BACKTRACE = "enable=yes,interactive=no,color=no,threads=all,limit=40,sanitize=no"
"""What a crash leaves in the log."""
CRASHES = ("Fatal error", "rogram crashed", "Assertion failed", "Precondition failed", "Illegal instruction",
           "AddressSanitizer", "ThreadSanitizer")


class Door(Coordinator):
    """Connections of raw clients, by the handshake of the conformance tests."""

    def __init__(self, state, port):
        self.state, self.port = state, port

    def key(self, role):
        return bytes.fromhex((self.state / f"{role}.key").read_text().strip())

    def client(self, connection):
        connection.settimeout(3)
        return self.greet("client", peer=QuickPeer(connection))


class QuickPeer(Peer):
    """Gives up early: whoever uses it connects again."""

    def receive(self, seconds=3.0):
        return super().receive(seconds)


class Managed:
    """A process that a session starts, hurts and starts again."""

    def __init__(self, session, name, arguments):
        self.session, self.name = session, name
        self.arguments = [WEFT, *arguments]
        self.log = session.folder / "logs" / f"{name}.log"
        self.temporary = session.folder / "tmp" / name
        self.temporary.mkdir()
        self.process = None
        self.starts = 0
        self.is_meant_to_end = True
        self.is_stopped = False

    def start(self):
        environment = {key: os.environ[key] for key in ("PATH", "LANG", "USER", "ASAN_OPTIONS", "TSAN_OPTIONS")
                       if key in os.environ}
        environment |= {"HOME": str(self.session.folder), "TMPDIR": str(self.temporary),
                        "WEFT_CHAOS": self.session.marker, "SWIFT_BACKTRACE": BACKTRACE,
                        # Memory that was freed holds nothing any more.
                        "MALLOC_PERTURB_": "165"}
        self.session.read.setdefault(self.log.name, 0)
        with self.log.open("ab") as log:
            log.write(f"-- start {self.starts + 1} at {time.time():.3f}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, start_new_session=True)
        self.starts += 1
        self.started = time.monotonic()
        self.is_meant_to_end = self.is_stopped = False

    @property
    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        if self.is_alive:
            self.process.send_signal(number)

    def kill(self):
        self.is_meant_to_end = True
        self.signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        """Asks it to end by itself."""
        self.is_meant_to_end = True
        self.signal(signal.SIGTERM)

    def pause(self):
        self.is_stopped = True
        self.signal(signal.SIGSTOP)

    def go_on(self):
        self.is_stopped = False
        self.signal(signal.SIGCONT)

    def wait(self, seconds):
        """Whether it has ended by then."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kept(self):
        """The keeper of a worker, and the supervisors of its tools."""
        parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                except (OSError, IndexError):
                    continue
                parents.setdefault(parent, []).append(int(entry.name))
        keepers = parents.get(self.process.pid, [])
        return keepers, [pid for keeper in keepers for pid in parents.get(keeper, [])]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self):
        """Resident bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) << 10
        return 0


class Disk:
    """The state folder: a small file system of its own if this user may mount one."""

    SIZE = 96

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(mode=0o700)
        self.is_small = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self.SIZE}m,mode=0700", "weft-chaos", str(folder)],
            capture_output=True).returncode == 0
        self.filler = folder / "filler"

    def fill(self):
        """Leaves no room."""
        block = bytes(1 << 16)
        with self.filler.open("ab", buffering=0) as file:
            for size in (len(block), 4096, 1):
                try:
                    while True:
                        file.write(block[:size])
                except OSError:
                    continue

    def free(self):
        self.filler.unlink(missing_ok=True)

    def unmount(self):
        if self.is_small:
            subprocess.run(["umount", str(self.folder)], check=False, capture_output=True)
            self.is_small = False


class Session:
    """Folders, a coordinator, workers."""

    def __init__(self, workers, port):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-chaos-"))
        # Part of the command line of whatever a tool leaves behind.
        self.marker = str(int.from_bytes(os.urandom(6), "big"))
        self.sleeper = f"sleep 86400.{self.marker}"
        for name in ("logs", "tmp", "plans", "answers"):
            (self.folder / name).mkdir()
        self.disk = Disk(self.folder / "state")
        self.state = self.disk.folder
        self.side_log = self.folder / "started"
        self.side_log.touch()
        self.manifest = tools.manifest(self.folder, str(self.side_log), self.sleeper)
        config = self.folder / "weft.yaml"
        config.write_text(LIMITS)
        self.port = port
        self.coordinator = Managed(self, "coordinator", [
            "coordinator", "--listen", f"127.0.0.1:{port}", "--state", str(self.state),
            "--config", str(config), "--drain-timeout", "3s", "--verbose"])
        self.names = [f"w{number}" for number in range(1, workers + 1)]
        self.workers = {}
        self.door = Door(self.state, port)
        self.read = {}
        """How much of each log was searched for crashes."""

    def add_workers(self, proxy):
        for name in self.names:
            self.workers[name] = Managed(self, name, [
                "worker", "--coordinator", proxy[name].address, "--name", name, "--slots", "4",
                "--key-file", str(self.state / "worker.key"), "--tools", str(self.manifest)])

    @property
    def managed(self):
        return [self.coordinator, *self.workers.values()]

    def weft(self, *arguments, seconds=PATIENCE):
        """A command that needs no coordinator, or asks it beside the proxy."""
        return subprocess.run(
            [WEFT, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL,
            timeout=seconds, env={**os.environ, "WEFT_CHAOS": self.marker})

    def ask(self, what, **fields):
        """The coordinator's answer, without the proxy."""
        with socket.create_connection(("127.0.0.1", self.port), 3) as connection:
            client = self.door.client(connection)
            client.send(type="get", request=1, what=what, **fields)
            return client.skip_to("reply", request=1)["data"]

    def answers(self):
        try:
            self.ask("status")
        except (OSError, Closed, AssertionError):
            return False
        return True

    # -- What is left

    def processes(self):
        """All processes that have something of this session, with their command lines."""
        found = {}
        place, own = str(self.folder).encode(), os.getpid()
        needles = (self.marker.encode(), place)
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == own:
                continue
            try:
                words = (entry / "cmdline").read_bytes()
                texts = words + (entry / "environ").read_bytes()
                texts += os.readlink(entry / "cwd").encode()
            except OSError:
                continue
            if words and any(needle in texts for needle in needles):
                found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")
        return found

    def tool_processes(self):
        """Those that are neither coordinator nor worker nor their keepers."""
        known = {each.process.pid for each in self.managed if each.process}
        for worker in self.workers.values():
            if worker.is_alive:
                known |= set(worker.kept()[0])
        # What a persistent tool needs stays as long as its worker.
        return {pid: words for pid, words in self.processes().items()
                if pid not in known and "add.py" not in words and "weft-keeper" not in words}

    def folders(self):
        """The working folders of attempts, by worker; each worker has one folder for all of them."""
        left = []
        for name, worker in self.workers.items():
            bases = sorted(worker.temporary.iterdir())
            if len(bases) > (1 if worker.is_alive else 0):
                left += [str(base.relative_to(self.folder)) for base in bases]
        return left

    def crashes(self):
        """Lines of logs, new since the last call, that only a fault of the program writes."""
        found = []
        for name, begin in self.read.items():
            with (self.folder / "logs" / name).open("rb") as log:
                log.seek(begin)
                text = log.read().rpartition(b"\n")[0]
            self.read[name] = begin + len(text)
            found += [f"{name}: {line[:300]}" for line in text.decode(errors="replace").splitlines()
                      if any(word in line for word in CRASHES)]
        return found

    def secrets_told(self):
        """Files outside the key files that contain a key."""
        needles = {path.name: path.read_text().split()[0].encode()
                   for path in self.state.glob("*.key")}
        found = []
        for path in self.folder.rglob("*"):
            if path.is_file() and path.suffix != ".key":
                content = path.read_bytes()
                found += [f"{path.name} contains {name}" for name, needle in needles.items()
                          if needle in content]
        return found

    def end_all(self):
        """Nothing of the session runs any more."""
        for each in self.managed:
            if each.process:
                each.kill()
        for _ in range(20):
            left = self.processes()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not left:
                return
            time.sleep(0.1)

    def remove(self):
        self.disk.unmount()
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep_what_shows(self):
        """The state folder leaves its small file system, so that it stays."""
        self.disk.free()
        if self.disk.is_small:
            copy = self.folder / "state-kept"
            shutil.copytree(self.state, copy, dirs_exist_ok=True)
            self.disk.unmount()
