"""A chaos session: rounds of faults while runs of random plans go through, each followed by healing,
an audit and a search for what is left. `Deploy/chaos` starts it; README.md says what is checked."""

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

import auditor
import clients
import faults
import plans
import processes
import proxy
import report

FAULTS = 14
"""Seconds of faults in a round."""
UNENDED = 10
"""Runs that go through at the same time."""
MOST_MEMORY = 384 << 20


class Spoiled(Exception):
    """Something is wrong already, so that what follows would tell nothing."""


class Round:
    """What one round is about: its promises, and when it healed."""

    def __init__(self):
        self.promises = []
        self.healed = None


def free_port():
    """A port that no connection gets by chance while the coordinator is down."""
    for port in random.SystemRandom().sample(range(15_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no port is free")


class Chaos:
    def __init__(self, seed, minutes, verbose):
        self.seed, self.minutes, self.is_verbose = seed, minutes, verbose
        self.report = report.Report(seed, processes.WEFT)
        self.plans = random.Random(f"{seed}/plans")
        self.count = 0
        self.next_search = 0
        self.kept = []
        """(plan, run, was_cancelled) of runs that stay in the journal until the end."""
        port = free_port()
        self.session = processes.Session(3, port)
        self.proxy = proxy.Proxy(port, [*self.session.names, "clients"], seed)
        self.clients = clients.Clients(self.session, self.proxy)
        self.faults = faults.Faults(self.session, self.proxy, self.clients,
                                    random.Random(f"{seed}/faults"))

    # -- The session

    def run(self):
        self.say(f"seed {self.seed}, folder {self.session.folder}")
        self.session.coordinator.start()
        self.until("the coordinator answers", self.session.answers)
        self.session.add_workers(self.proxy)
        for worker in self.session.workers.values():
            worker.start()
        self.until("all workers are there", self.are_all_there)
        self.baseline = None
        deadline = time.monotonic() + 60 * self.minutes
        while self.report.rounds == 0 or time.monotonic() < deadline - FAULTS / 2:
            self.round()
            self.report.rounds += 1
            if self.report.problems:
                break
        self.end()

    def round(self):
        current = Round()
        if self.baseline is None:
            self.calm(2)
            self.settle(current)
            self.baseline = {name: each.descriptors() for name, each in self.by_name().items()}
        self.trouble(current)
        self.faults.heal()
        current.healed = time.time()
        self.settle(current)
        self.calm(3)
        self.settle(current)
        self.audit(current)
        self.leftovers()
        self.say(f"round {self.report.rounds + 1}: {sum(self.faults.counts.values())} faults, "
                 f"{dict(self.report.statistics.runs)}, {len(self.report.problems)} problems")

    def trouble(self, current):
        """Faults and runs until the time is over."""
        now = time.monotonic()
        over, next_fault, next_run = now + FAULTS, now + self.faults.pause(), now
        while now < over:
            if now >= next_fault:
                self.faults.next()
                next_fault = now + self.faults.pause()
            if now >= next_run and len(self.clients.running) < UNENDED:
                way = self.plans.choices(("waiting", "detached", "raw"), (4, 2, 5))[0]
                self.submit(way)
                next_run = now + self.plans.uniform(0.1, 0.6)
            self.tick()
            time.sleep(0.01)
            now = time.monotonic()

    def tick(self):
        self.faults.tick()
        self.clients.collect()
        faults.unexpected_ends(self.session, self.faults, self.report)
        if time.monotonic() > self.next_search:
            self.next_search = time.monotonic() + 1
            self.report.problems += self.session.crashes()
        if self.report.problems:
            raise Spoiled

    def submit(self, way, is_calm=False):
        self.count += 1
        plan = plans.make(self.plans, f"chaos-{self.count}", is_calm)
        self.report.promises[way] += 1
        promise = self.clients.start(plan, way, self.plans.randrange(6))
        promise.is_calm = is_calm

    def settle(self, current):
        """All is well again: whatever was accepted ends, and clients learn of it."""
        self.until("the coordinator answers", self.session.answers)
        self.until("all workers are there", self.are_all_there)
        begun = time.monotonic()
        for label in self.clients.wait(processes.PATIENCE):
            self.report.wrong(f"{label}: its client still waits {processes.PATIENCE:.0f} s after "
                              "healing")
        self.until("every accepted run ends",
                   lambda: not self.session.ask("runs", status="running", limit=1000),
                   lambda: self.session.ask("runs", status="running", limit=5))
        if current.healed:
            self.report.ends_after_healing.append(time.monotonic() - begun)
        current.promises += self.clients.take()
        self.report.problems += self.clients.problems
        self.clients.problems = []

    def calm(self, count):
        """Runs without any fault have to be right in full."""
        for number in range(count):
            self.submit(("waiting", "raw")[number % 2], is_calm=True)
            self.report.calm += 1

    def are_all_there(self):
        names = {worker["name"] for worker in self.session.ask("workers")
                 if worker.get("status", "connected") == "connected"}
        return names >= set(self.session.names)

    def until(self, what, condition, words=lambda: ""):
        """Waits for it, patiently; that it does not come about is a fault, which ends the session."""
        deadline = time.monotonic() + processes.PATIENCE
        while True:
            try:
                if condition():
                    return
            except clients.LOST:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {processes.PATIENCE:.0f} s after healing: {what} "
                                     f"{words()}")
            self.tick()
            time.sleep(0.05)

    # -- The audit

    def export(self):
        checked = self.session.weft("journal", "check", "--state", str(self.session.state))
        if checked.returncode != 0:
            self.report.wrong(f"weft journal check: {checked.stdout}{checked.stderr}")
        exported = self.session.weft("journal", "export", "--json", "--state",
                                     str(self.session.state))
        if exported.returncode != 0:
            self.report.wrong(f"weft journal export: {exported.stderr}")
        return auditor.read_export(exported.stdout)

    def audit(self, current):
        runs = self.export()
        audit = auditor.Audit(self.faults, self.session.side_log.read_text(),
                              self.report.statistics)
        again = []
        for promise in current.promises:
            is_calm = promise.is_calm
            was_refusable = not is_calm and self.faults.was_hurt(
                ("coordinator", "disk", "clients"), promise.begun, promise.ended or time.time())
            exported = audit.promise(promise, runs.values(), was_refusable)
            self.report.resubmitted += promise.accepted > 1
            if exported is None:
                if is_calm:
                    self.report.wrong(f"{promise.plan.label}: there is no run of it")
                continue
            if not exported.row["status"] or exported.row["status"] == "running":
                self.report.wrong(f"run {exported.row['run']} has not ended")
                continue
            self.report.statistics.records += len(exported.records)
            nodes = audit.run(promise.plan, exported, is_calm, promise.was_cancelled)
            failed = {node.end["error"]["code"] for node in nodes.values()
                      if node.status == "failed"}
            if failed & {"outcome_unknown", "worker_lost"}:
                again.append((promise.plan, exported.row["run"]))
            if len(self.kept) < 40 and len(promise.plan.nodes) < 12:
                self.kept.append((promise.plan, exported.row["run"], promise.was_cancelled))
        known = {promise.plan.label for promise in current.promises}
        for exported in runs.values():
            if exported.row.get("label") not in known and \
                    exported.row["run"] not in [run for _, run, _ in self.kept]:
                audit.problems.append(f"run {exported.row['run']} belongs to nobody")
        self.report.problems += audit.problems
        self.retry(again[:3])
        self.logs(current)
        if self.report.problems:
            raise Spoiled
        self.forget()

    def retry(self, again):
        """What failed because of the faults is done again, and then it is right."""
        for plan, run in again:
            done = self.session.weft("retry", run, "--json", "--coordinator",
                                     f"127.0.0.1:{self.session.port}", "--key-file",
                                     str(self.session.state / "client.key"))
            self.report.retried += 1
            never = any(node.tool == "fails" for node in plan.nodes)
            if done.returncode != (1 if never else 0):
                self.report.wrong(f"weft retry {run}: {done.returncode} {done.stdout[-600:]} "
                                  f"{done.stderr[-300:]}")
                continue
            exported = self.export()[json.loads(done.stdout)["run"]]
            audit = auditor.Audit(self.faults, self.session.side_log.read_text(),
                                  self.report.statistics)
            audit.run(plan, exported, is_calm=True)
            self.report.problems += audit.problems

    def logs(self, current):
        """What `once` wrote to standard error is kept, if nothing of it was lost on the way."""
        calm = [promise for promise in current.promises if promise.is_calm and promise.run]
        for promise in calm:
            for node in [node for node in promise.plan.nodes if node.tool == "once"][:1]:
                done = self.session.weft(
                    "logs", promise.run, node.id, "--stream", "stderr", "--coordinator",
                    f"127.0.0.1:{self.session.port}", "--key-file",
                    str(self.session.state / "client.key"))
                self.report.logs += 1
                if done.stderr != f"once {node.output - 1}\n":
                    self.report.wrong(f"weft logs {promise.run} {node.id}: {done}")

    def forget(self):
        """Audited runs leave the journal, but for a few that are looked at once more at the end."""
        kept = {run for _, run, _ in self.kept}
        gone = [run for run in self.export() if run not in kept]
        if gone:
            done = self.session.weft("forget", *gone, "--coordinator",
                                     f"127.0.0.1:{self.session.port}", "--key-file",
                                     str(self.session.state / "client.key"))
            if done.returncode != 0:
                self.report.wrong(f"weft forget: {done.stdout}{done.stderr}")
            if left := set(self.export()) - kept:
                self.report.wrong(f"still in the journal although forgotten: {sorted(left)[:5]}")

    # -- What is left

    def by_name(self):
        return {each.name: each for each in self.session.managed}

    def leftovers(self):
        """While all is calm: no tool runs, no folder of an attempt is there, nothing was leaked."""
        session = self.session
        self.report.scans += 1
        if self.faults.were_keepers_killed:
            # What left its session, its folder and its environment may stay then, as is documented.
            self.faults.were_keepers_killed = False
            subprocess.run(["pkill", "-KILL", "-f", session.sleeper], check=False)
        self.until("no process of a tool is left", lambda: not session.tool_processes(),
                   session.tool_processes)
        self.until("no folder of an attempt is left", lambda: not session.folders(), session.folders)
        for name, each in self.by_name().items():
            # A worker has up to two persistent processes with three pipes each.
            most = self.baseline[name] + (2 if each is session.coordinator else 8)
            self.until(f"{name} has no more than {most} descriptors",
                       lambda each=each, most=most: each.descriptors() <= most, each.descriptors)
        coordinator = session.coordinator
        self.report.descriptors.append(coordinator.descriptors())
        memory = coordinator.memory()
        self.report.peak_memory = max(self.report.peak_memory, memory)
        # A sanitizer keeps what was freed.
        if memory > MOST_MEMORY and "ASAN_OPTIONS" not in os.environ:
            self.report.wrong(f"the coordinator has {memory >> 20} MiB")
        self.report.problems += session.crashes()

    def end(self):
        """Everything ends when it is asked to; then nothing is left."""
        session = self.session
        for each in (*session.workers.values(), session.coordinator):
            each.end()
        for each in session.managed:
            if not each.wait(processes.PATIENCE):
                self.report.wrong(f"{each.name} does not end when it is asked to")
            elif each.process.returncode != 0:
                self.report.wrong(f"{each.name} ended with {each.process.returncode}")
        self.until_nothing_is_left()
        runs = self.export()
        audit = auditor.Audit(self.faults, session.side_log.read_text(), report.Statistics())
        for plan, run, was_cancelled in self.kept:
            if run not in runs:
                self.report.wrong(f"run {run} was kept and is not in the journal at the end")
            else:
                audit.run(plan, runs[run], was_cancelled=was_cancelled)
        self.report.problems += audit.problems + session.crashes() + session.secrets_told()

    def until_nothing_is_left(self):
        deadline = time.monotonic() + processes.PATIENCE
        while True:
            left = self.session.processes()
            folders = [str(path) for path in self.session.folder.glob("tmp/*/*")]
            if not left and not folders:
                return
            if time.monotonic() > deadline:
                self.report.wrong(f"left at the end: {left} {folders}")
                return
            time.sleep(0.1)

    def close(self):
        """Ends what there is, however the session went; the folder stays if something is wrong."""
        self.clients.close()
        self.session.end_all()
        self.proxy.close()
        self.faults.log.close()
        self.report.faults = self.faults.counts
        self.report.skipped = self.faults.skipped
        self.report.cuts = sum(link.cuts for link in self.proxy.links.values())
        self.report.restarts = {each.name: each.starts for each in self.session.managed}
        if self.report.problems:
            self.session.keep_what_shows()
        else:
            self.session.remove()

    def say(self, words):
        if self.is_verbose:
            print(words, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(
        prog="Deploy/chaos", description="Runs random plans while processes, connections and the "
        "disk are hurt, and compares everything with what was computed beforehand.")
    parser.add_argument("--minutes", type=float, default=1, metavar="N",
                        help="how long it goes on (default: 1)")
    parser.add_argument("--seed", type=int, help="which faults and plans (default: by chance)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="say nothing before the report")
    given = parser.parse_args()
    if given.minutes <= 0:
        parser.error("--minutes takes a number above 0.")
    if not os.access(processes.WEFT, os.X_OK):
        parser.error(f"There is no program at {processes.WEFT}: build it, or set WEFT.")
    return given


def main():
    given = arguments()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 31)
    session = Chaos(seed, given.minutes, not given.quiet)
    is_interrupted = False
    try:
        session.run()
    except KeyboardInterrupt:
        is_interrupted = True
    except Spoiled:
        pass
    except AssertionError as error:
        session.report.wrong(str(error))
    finally:
        # A second one would leave processes behind.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        folder = session.session.folder
        session.close()
    print(session.report.json() if given.json else session.report.text())
    if session.report.problems:
        print(f"Seed {seed} shows it; logs and journal are in {folder}.", file=sys.stderr)
    sys.exit(130 if is_interrupted else 1 if session.report.problems else 0)


if __name__ == "__main__":
    main()
