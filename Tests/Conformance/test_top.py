"""`weft top` on a real pseudo-terminal, read by a small emulator: it fits any window, obeys keys, goes
on after a restart and gives the terminal back on every way out; `--once` is for scripts."""

import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata

from peer import PATIENCE, WEFT, Coordinator
from test_coordinator import CoordinatorTest, plan

HOSTILE = "建設\x1b]0;owned\x07\u202e\x1b[2J\u0301e"
CSI = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")
BEGINNING = re.compile(r"\x1b(\[\??[0-9;]*)?")
END = "\x1b[?1049l"


class Grid:
    """The cells of a screen without automatic line breaks."""

    def __init__(self, columns, rows):
        self.columns, self.rows, self.row, self.column = columns, rows, 0, 0
        self.cells = [[" "] * columns for _ in range(rows)]
        self.overflows = 0
        self.rest = ""

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        while text:
            match = CSI.match(text)
            if not match and BEGINNING.fullmatch(text):
                # Its end comes with the next read.
                self.rest = text
                return
            if match:
                self.obey(*match.groups())
                text = text[match.end():]
            else:
                character, text = text[0], text[1:]
                if character != "\x18":
                    assert character >= " ", f"a control character: {character!r} before {text!r}"
                    self.put(character)

    def obey(self, private, numbers, letter):
        if letter == "H" and not private:
            row, column = (int(number) for number in numbers.split(";"))
            # A place below the window is its last row, as on any terminal.
            self.row, self.column = min(row, self.rows) - 1, column - 1
        elif letter == "K":
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif letter == "J":
            first = 0 if numbers == "2" else self.row
            self.cells[first:] = [[" "] * self.columns for _ in range(self.rows - first)]
        else:
            assert letter in "hlm", f"{letter} is not known here"

    def put(self, character):
        width = 0 if unicodedata.combining(character) else (
            2 if unicodedata.east_asian_width(character) in "WF" else 1)
        if self.column + width > self.columns or self.row >= self.rows:
            self.overflows += 1
            return
        for place in range(width):
            self.cells[self.row][self.column + place] = character if place == 0 else ""
        self.column += width

    def __str__(self):
        return "\n".join("".join(row).rstrip() for row in self.cells)


class TopTest(CoordinatorTest):
    def setUp(self):
        super().setUp()
        self.peer = self.client()
        self.name = self.tool()
        self.worker = self.coordinator.worker(
            [{"name": self.name, "description": f"Says {HOSTILE}."}], slots=2)

    def run_of(self, count=4, label=None):
        run = self.submit(self.peer, plan(*((f"n{place}", self.name, {}) for place in range(count))),
                          watch="end", **({"label": label} if label else {}))
        self.worker.skip_to("dispatch", run=run)
        return run

    def arguments(self, key="client"):
        return ["--coordinator", self.coordinator.address,
                "--key-file", f"{self.coordinator.folder.name}/{key}.key"]

    def start(self, *arguments, key="client", columns=80, rows=24, **variables):
        """Starts weft top on a terminal of its own."""
        self.control, self.terminal = pty.openpty()
        self.addCleanup(os.close, self.control)
        self.addCleanup(os.close, self.terminal)
        self.modes = termios.tcgetattr(self.terminal)
        self.resize(columns, rows, tells=False)
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("WEFT_") and key != "NO_COLOR"}
        environment.update(TERM="xterm-256color", **variables)
        self.process = subprocess.Popen(
            [WEFT, "top", "--interval", "100ms", *self.arguments(key), *arguments],
            stdin=self.terminal, stdout=self.terminal, stderr=self.terminal, env=environment,
            start_new_session=True,
            # Where these tests were started with nohup, it would stay ignored.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
        self.addCleanup(self.stop)
        self.text, self.decoder = "", codecs.getincrementaldecoder("utf-8")()
        self.screen()

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)

    def resize(self, columns, rows, tells=True):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.grid = Grid(columns, rows)
        if tells:
            self.process.send_signal(signal.SIGWINCH)

    def read(self, until):
        """Reads until the condition about the screen holds."""
        deadline = time.monotonic() + PATIENCE
        while not until(str(self.grid)):
            left = deadline - time.monotonic()
            self.assertGreater(left, 0, f"not yet on:\n{self.grid}")
            if select.select([self.control], [], [], min(left, 0.1))[0]:
                text = self.decoder.decode(os.read(self.control, 65536))
                self.text += text
                # What follows the end is an ordinary line.
                if END not in self.text:
                    self.grid.feed(text)

    def screen(self, *patterns):
        """Waits until the screen has all patterns, and returns it."""
        self.read(lambda shown: all(re.search(one, shown) for one in ("weft top", *patterns)))
        self.assertEqual(self.grid.overflows, 0)
        return str(self.grid)

    def wait_until_it_fits(self, columns, rows):
        """Lets it draw again until nothing comes that was drawn for the window before."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.grid = Grid(columns, rows)
            self.press("\x0c")
            self.read(lambda shown: shown.startswith("weft t"))
            if self.grid.overflows == 0 and str(self.grid).split("\n")[-1]:
                return
            self.assertLess(time.monotonic(), deadline, f"wider than the window:\n{self.grid}")

    def press(self, keys):
        os.write(self.control, keys.encode())

    def end(self, status):
        """Waits for the end; everything is as it was."""
        self.read(lambda _: END in self.text)
        self.process.wait(PATIENCE)
        while select.select([self.control], [], [], 0)[0]:
            self.text += self.decoder.decode(os.read(self.control, 65536))
        rest = self.text.partition(END)[2]
        self.assertEqual(self.process.returncode, status, rest)
        self.assertNotIn("\x1b", rest, "it draws after the end")
        self.assertRegex(self.text, r"\x1b\[\?25h[^\n]*" + re.escape(END))
        self.assertEqual(termios.tcgetattr(self.terminal), self.modes)


class ScreenTests(TopTest):
    def test_tables_details_and_orders(self):
        run = self.run_of(label=HOSTILE)
        self.start()
        shown = self.screen(run, r"slots \|\| 2/2", r"0/4 +2 +0", r"\? help  q quit")
        self.assertIn("> " + run, shown)
        self.assertIn("建設", shown)
        self.press("\r")
        self.screen(f"Run {run}", r"n0 +\S+ +sent to", r"2 × \S+ \(ready\): all slots are busy")
        self.press("\x1b")
        self.screen(r"\[1 Runs\]")
        self.press("2")
        self.screen(r"\[2 Workers\]", f"> {self.worker.name}", r"ready +2/2 +\|\|")
        self.press("\x1b[C")
        self.screen(r"\[3 Tools\]", f"{self.name} +.* Says .*建設")
        self.press("/no-such-tool")
        self.screen("/no-such-tool_", "Nothing has no-such-tool in it")
        self.press("\x1b")
        self.screen(f"{self.name} .* Says")
        for columns, rows in ((40, 10), (20, 5), (7, 2), (132, 43), (80, 24)):
            self.resize(columns, rows)
            self.wait_until_it_fits(columns, rows)
        self.press("1")
        self.screen(r"\[1 Runs\]", run)
        self.press("c")
        self.screen(f"Cancel run {run} .* y or n")
        self.press("n")
        self.screen("Nothing is done")
        self.press("cy")
        self.screen(f"Run {run} is asked to end")
        self.worker.skip_to("cancel", attempt=f"{run}/0/1")
        self.press("2d")
        self.screen(f"Drain {self.worker.name}")
        self.press("y")
        self.worker.skip_to("drain")
        self.screen(f"{self.worker.name} +draining")
        self.press("?")
        self.screen("Ctrl-L")
        self.press("q")
        self.screen(r"\[2 Workers\]")
        self.press("q")
        self.end(0)

    def test_a_viewer_sees_and_gives_no_orders(self):
        run = self.run_of()
        self.start(key="viewer", NO_COLOR="1")
        self.screen(run, "viewer")
        self.press("c")
        self.screen("Cancelling needs a client's key")
        self.assertNotRegex(self.text, r"\x1b\[[1-9][0-9;]*m", "no colours")
        self.press("q")
        self.end(0)

    def test_every_way_out_gives_the_terminal_back(self):
        for way, status in ((signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGHUP, 130)):
            self.start()
            self.screen("1 Runs")
            self.process.send_signal(way)
            self.end(status)

    def test_stopped_and_continued(self):
        run = self.run_of()
        self.start()
        self.screen(run)
        self.process.send_signal(signal.SIGTSTP)
        self.read(lambda _: END in self.text)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(self.process.pid, os.WUNTRACED)[1]))
        self.assertEqual(termios.tcgetattr(self.terminal), self.modes)
        self.grid, self.text = Grid(80, 24), ""
        self.process.send_signal(signal.SIGCONT)
        self.screen(run, r"\[1 Runs\]")
        self.press("q")
        self.end(0)


class RestartTests(TopTest):
    def test_goes_on_after_a_restart(self):
        coordinator = Coordinator()
        self.addCleanup(coordinator.stop)
        self.coordinator = coordinator
        self.start()
        self.screen("No runs yet")
        coordinator.kill()
        self.screen("no connection; trying again")
        coordinator.arguments[coordinator.arguments.index("127.0.0.1:0")] = coordinator.address
        coordinator.start()
        self.read(lambda shown: "no connection" not in shown)
        self.press("2")
        self.screen("No workers are connected")
        coordinator.kill()
        self.press("q")
        self.end(0)

    def test_a_coordinator_that_stays_away_ends_it(self):
        coordinator = Coordinator()
        self.addCleanup(coordinator.stop)
        self.coordinator = coordinator
        self.start("--reconnect", "0s")
        self.screen("No runs yet")
        coordinator.kill()
        self.end(3)
        self.read(lambda _: "is lost" in self.text.split(END)[1])


class OnceTests(TopTest):
    def once(self, *arguments, status=0):
        done = subprocess.run([WEFT, "top", *arguments], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + done.stderr

    def test_tables_and_json_for_scripts(self):
        run = self.run_of(label="nightly")
        text = self.once("--once", *self.arguments("viewer"))
        for pattern in (r"Runs: \d+\nRUN ", f"\n{run} +running .* nightly\n", "\nWorkers: ",
                        f"\n{self.worker.name} +ready +2/2", "\nTools: ", f"\n{self.name} .* Says"):
            self.assertRegex(text, pattern)
        document = json.loads(self.once("--once", "--json", *self.arguments()))
        self.assertEqual(sorted(document), ["runs", "status", "tools", "workers"])
        self.assertIn(run, [one["run"] for one in document["runs"]])

    def test_mistakes(self):
        for arguments, sentence in (
                ((), "no terminal that can be drawn on"),
                (("--json",), "--json is for --once"),
                (("--once", "--interval", "2s"), "--interval is not for --once"),
                (("--interval", "1ms"), "at least 100ms"),
                (("--interval", "often"), "duration"),
                (("runs",), "runs")):
            self.assertIn(sentence, self.once(*arguments, *self.arguments(), status=2))
