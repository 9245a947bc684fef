"""A systemd of its own in namespaces of its own: it has its own processes, network, /etc, /run, /tmp,
/usr/local and /var, so that units can be started without a trace on this host. Needs root.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import time

PATIENCE = 20
"""Seconds to wait for something that should happen."""

BOOT = """
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd /run/lock
for folder in /etc /usr/local /var; do
    mkdir -p "/run/overlay$folder/upper" "/run/overlay$folder/work"
    mount -t overlay overlay "$folder" -o \
        "lowerdir=$folder,upperdir=/run/overlay$folder/upper,workdir=/run/overlay$folder/work"
done
install -D -m 755 "$PROGRAM" "/usr/local/bin/$(basename "$PROGRAM")"
mkdir /run/source
mount --bind "$SOURCE" /run/source
mount -t tmpfs tmpfs /tmp
chmod 1777 /tmp
mount -t proc proc /proc
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
mkdir -p /run/systemd/journald.conf.d
printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\n' > /run/systemd/journald.conf.d/test.conf
rm -rf /var/log/journal /var/lib/weftline /etc/weftline
# Only these units: those of the system would set up this host a second time.
mkdir /run/units
cp /lib/systemd/system/systemd-journald*.s* /run/units
for target in basic sysinit shutdown network-online multi-user; do
    printf '[Unit]\\nDescription=%s\\nDefaultDependencies=no\\n' $target > /run/units/$target.target
done
sed -i 's/^DefaultDependencies.*/&\\nWants=systemd-journald.service/' /run/units/sysinit.target
export SYSTEMD_UNIT_PATH=/run/units container=weft
exec /lib/systemd/systemd --system --unit=basic.target --show-status=no
"""


class CannotBoot(Exception):
    """Why there can be no such systemd on this host."""


def control_group():
    """Makes a control group below that of this process, which the systemd takes for all there is."""
    place = pathlib.Path("/proc/self/cgroup").read_text().rpartition("0::/")[2].strip()
    for root in [pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/unified")]:
        if (root / "cgroup.controllers").exists():
            group = root / place / f"weft-test-{os.getpid()}"
            try:
                group.mkdir()
            except OSError as error:
                raise CannotBoot(f"no control group can be made: {error}") from error
            return group
    raise CannotBoot("there are no control groups of version 2")


class Machine:
    """A running systemd, which ends with everything that it has started by `stop`.

    The program is in its /usr/local/bin, the source folder at /run/source; units belong into
    /run/units."""

    def __init__(self, log, program, source):
        if os.geteuid() != 0:
            raise CannotBoot("only root can start a systemd")
        for needed in ["unshare", "nsenter", "ip", "systemctl", "/lib/systemd/systemd"]:
            if shutil.which(needed) is None:
                raise CannotBoot(f"there is no {needed}")
        self.group = control_group()
        self.log = open(log, "w+b")
        self.process = subprocess.Popen(
            ["sh", "-ec", 'echo $$ > "$0/cgroup.procs"; exec "$@"', str(self.group),
             "unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--fork",
             "--kill-child", "bash", "-e", "-c", BOOT],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, "PROGRAM": str(program), "SOURCE": str(source)})
        try:
            self.wait_until(lambda: self.first is not None, "no process in the namespaces")
            self.wait_until(
                lambda: self.run("systemctl", "is-active", "basic.target").returncode == 0,
                "systemd does not start")
        except AssertionError as error:
            said = pathlib.Path(log).read_text(errors="replace")
            self.stop()
            raise CannotBoot(f"{error}: {said.strip()[-500:]}") from error

    @property
    def first(self):
        """The process that is number 1 in the namespaces, by its number here."""
        path = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = path.read_text().split() if path.exists() else []
        return children[0] if children else None

    def start(self, *arguments):
        """Starts a program in the namespaces."""
        return subprocess.Popen(
            ["nsenter", "--target", str(self.first), "--mount", "--pid", "--net", "--ipc", "--uts",
             "--cgroup", "--", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments):
        """Runs a program in the namespaces and returns its end and what it wrote."""
        with self.start(*arguments) as process:
            try:
                output, problems = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(arguments, process.returncode, output, problems)

    def check(self, *arguments):
        """Runs a program that must succeed; what it wrote to standard output."""
        result = self.run(*arguments)
        if result.returncode != 0:
            raise AssertionError(f"{arguments} ended with {result.returncode}: {result.stdout}"
                                 f"{result.stderr}{self.journal()}")
        return result.stdout

    def journal(self):
        return self.run("journalctl", "--no-pager", "--output=cat").stdout

    def wait_until(self, condition, otherwise):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(otherwise)
            time.sleep(0.05)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        # The last processes of the namespaces may still be on their way out.
        deadline = time.monotonic() + PATIENCE
        while self.group.exists() and time.monotonic() < deadline:
            for folder in sorted(self.group.glob("**/"), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            time.sleep(0.01)
