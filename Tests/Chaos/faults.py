"""What is done to processes, connections and the disk of a session, in an order that a seed decides.

Faults are dealt from a deck that is shuffled when it is empty, so that each kind comes up again and
again. Every fault notes whom it hurt and when: the auditor allows an unknown outcome only there."""

import contextlib
import heapq
import itertools
import os
import signal
import time

DECK = {
    "worker killed": 3, "worker stopped": 3, "worker drained": 1, "keeper killed": 1,
    "worker and keeper killed": 1, "coordinator killed": 3, "coordinator stopped": 2,
    "coordinator drained": 1, "client killed": 2, "client stopped": 2, "delay": 3, "cut": 5,
    "reset": 1, "one way": 4, "pieces": 2, "disk full": 2, "cancel": 2,
}
AFTERMATH = 5.0
"""Seconds after a fault's end within which something may still be lost by it: leases, resuming."""


class Faults:
    def __init__(self, session, proxy, clients, source):
        self.session, self.proxy, self.clients, self.source = session, proxy, clients, source
        self.counts = dict.fromkeys(DECK, 0)
        self.skipped = 0
        self.hurt = []
        """(whom, begin, end) in Unix time; whom is a worker, `coordinator`, `disk` or `clients`."""
        self.deck = []
        self.pending = []
        self.numbers = itertools.count()
        self.busy = set()
        self.log = (session.folder / "logs" / "faults").open("a")
        self.were_keepers_killed = False

    # -- The schedule

    def pause(self):
        return self.source.uniform(0.1, 0.9)

    def next(self):
        """Deals one fault. It draws the same numbers whatever the state of things is."""
        if not self.deck:
            self.deck = [kind for kind, count in DECK.items() for _ in range(count)]
            self.source.shuffle(self.deck)
        kind = self.deck.pop()
        worker = self.source.choice(self.session.names)
        link = self.source.choice([*self.session.names, "clients", "clients"])
        way = self.source.choice(("out", "in"))
        long, short, size = self.source.random(), self.source.random(), self.source.random()
        number = self.source.randrange(1 << 16)
        begun = self.begin(kind, worker, link, way, long, short, size, number)
        if begun:
            self.counts[kind] += 1
        else:
            self.skipped += 1
        return begun

    def begin(self, kind, worker, link, way, long, short, size, number):
        session = self.session
        process = session.workers[worker]
        match kind:
            case "worker killed":
                return self.hold(kind, worker, 3 * long**2, process.kill, self.starter(process),
                                 process)
            case "worker stopped":
                return self.hold(kind, worker, 4 * long, process.pause, process.go_on, process)
            case "worker drained":
                return self.hold(kind, worker, 0.5 + 2 * long, process.end, self.ender(process),
                                 process)
            case "keeper killed":
                return self.hold(kind, worker, 0, lambda: self.kill_keepers(process, False),
                                 lambda: None, process)
            case "worker and keeper killed":
                return self.hold(kind, worker, 1 * long, lambda: self.kill_keepers(process, True),
                                 self.starter(process), process)
            case "coordinator killed":
                process = session.coordinator
                return self.hold(kind, "coordinator", 3.5 * long**3, process.kill,
                                 self.starter(process), process)
            case "coordinator stopped":
                process = session.coordinator
                return self.hold(kind, "coordinator", 0.1 + 3.5 * long**2, process.pause,
                                 process.go_on, process)
            case "coordinator drained":
                process = session.coordinator
                return self.hold(kind, "coordinator", 1.5 * long, process.end,
                                 self.ender(process), process)
            case "client killed":
                return self.clients.kill_one(number) and self.note(kind, "clients", 0)
            case "client stopped":
                return self.hold_client(kind, 0.2 + 3 * long, number)
            case "delay":
                return self.hold(kind, link, 1 + 3 * long,
                                 lambda: self.set(link, delay=0.005 + 0.15 * short**2),
                                 lambda: self.set(link, delay=0))
            case "cut":
                return self.cut(kind, link, way, int(30_000 * size**3))
            case "reset":
                link = self.proxy[link]
                self.proxy.loop.call_soon_threadsafe(link.reset_all)
                return self.note(kind, link.name, 0)
            case "one way":
                one = self.proxy[link].ways[way]
                return self.hold(kind, link, 0.3 + 4 * long,
                                 lambda: setattr(one, "is_stopped", True),
                                 lambda: setattr(one, "is_stopped", False))
            case "pieces":
                return self.hold(kind, link, 1 + 2 * long,
                                 lambda: self.set(link, in_pieces=True),
                                 lambda: self.set(link, in_pieces=False))
            case "disk full":
                if not session.disk.is_small:
                    return False
                return self.hold(kind, "disk", 0.3 + 2.5 * long, session.disk.fill,
                                 session.disk.free)
            case "cancel":
                return self.clients.cancel_one(number) and self.note(kind, "clients", 0)
        raise ValueError(kind)

    def hold(self, kind, whom, seconds, begin, end, process=None):
        """A fault that lasts; a process bears one at a time, and so does a link for each kind."""
        if process and (process.is_meant_to_end or process.is_stopped or not process.is_alive):
            return False
        token = (kind, whom) if process is None else whom
        if token in self.busy:
            return False
        self.busy.add(token)
        entry = self.note(kind, whom, seconds)
        begin()
        self.later(seconds, end, token, entry)
        return True

    def hold_client(self, kind, seconds, number):
        process = self.clients.one(number)
        if process is None:
            return False
        process.send_signal(signal.SIGSTOP)

        def go_on():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
        self.later(seconds, go_on, None, self.note(kind, "clients", seconds))
        return True

    def later(self, seconds, end, token, entry):
        heapq.heappush(self.pending,
                       (time.monotonic() + seconds, next(self.numbers), end, token, entry))

    def note(self, kind, whom, seconds):
        entry = [whom, time.time(), None if seconds else time.time()]
        self.hurt.append(entry)
        self.log.write(f"{time.time():.3f} {kind}: {whom} for {seconds:.2f} s\n")
        self.log.flush()
        return entry

    def tick(self):
        """Ends what is over, and starts again what has ended by itself."""
        now = time.monotonic()
        while self.pending and self.pending[0][0] <= now:
            self.finish(heapq.heappop(self.pending))

    def finish(self, pending):
        _, _, end, token, entry = pending
        again = end()
        if again:
            # Not over yet, as a coordinator that does not start on a full disk.
            self.later(again, end, token, entry)
            return
        entry[2] = time.time()
        self.busy.discard(token)

    def heal(self):
        """Everything ends now. A process that does not start yet is tried again."""
        self.session.disk.free()
        self.proxy.heal()
        deadline = time.monotonic() + 30
        while self.pending and time.monotonic() < deadline:
            pending, self.pending = self.pending, []
            for each in sorted(pending, key=lambda each: each[:2]):
                self.finish(each)
            time.sleep(0.05)
        for whom in ("coordinator", *self.session.names):
            # A cut that did not come yet.
            self.busy.discard(("cut", whom))

    def was_hurt(self, whom, begin, end):
        """Whether one of them was, or may have been in consequence, in that time."""
        return any(name in whom and begun - 1 <= end and (ended or end) + AFTERMATH >= begin
                   for name, begun, ended in self.hurt)

    # -- Each kind

    def set(self, link, **values):
        for way in self.proxy[link].ways.values():
            for name, value in values.items():
                setattr(way, name, value)

    def cut(self, kind, link, way, size):
        one = self.proxy[link].ways[way]
        if one.cut_after is not None:
            return False
        one.cut_after = size
        entry = self.note(kind, link, 1)

        def over():
            # It hurts when the byte passes.
            return 0.05 if one.cut_after is not None else 0
        self.later(0.05, over, None, entry)
        return True

    @staticmethod
    def starter(process):
        def start():
            if not process.is_alive:
                process.start()
            return 0
        return start

    @staticmethod
    def ender(process):
        """Starts again what was asked to end, once it has; one that does not is told again."""
        begun = time.monotonic()

        def end():
            if process.is_alive:
                if time.monotonic() - begun > 4:
                    process.signal(signal.SIGTERM)
                if time.monotonic() - begun > 25:
                    raise AssertionError(f"{process.name} does not end when it is asked to")
                return 0.1
            process.start()
            return 0
        return end

    def kill_keepers(self, process, with_all):
        keepers, supervisors = process.kept()
        if with_all:
            process.is_meant_to_end = True
            self.were_keepers_killed = True
            # Nobody of them sees another one end.
            for pid in (process.process.pid, *keepers, *supervisors):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            supervisors = supervisors + [process.process.pid]
        for pid in (*keepers, *supervisors) if with_all else keepers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if with_all:
            process.process.wait()


def unexpected_ends(session, faults, report):
    """Starts processes again that ended by themselves, as a supervisor would; tells how they did."""
    for process in session.managed:
        if process.is_alive or process.is_meant_to_end or time.monotonic() < process.started + 0.3:
            continue
        status = process.process.returncode
        last = process.log.read_text(errors="replace").splitlines()[-1:]
        why = f"{process.name} ended by itself with {status}: {last}"
        report.ended_by_itself(process, status, why)
        faults.note("ended by itself", process.name, 0)
        process.start()
