"""The output of `weft run` and `weft launch` on a terminal: a real pseudo-terminal, read by a small
emulator. Output for programs (pipes, files, --json) has no escape sequence."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unicodedata
import unittest

from peer import PATIENCE, WEFT

CSI = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


class Screen:
    """The visible rows of a terminal, and those above them."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines, self.row, self.column = [""], 0, 0
        self.has_wrapped = False

    def feed(self, text):
        while text:
            match = CSI.match(text)
            if match:
                self.obey(match.group(1), match.group(2))
                text = text[match.end():]
                continue
            character, text = text[0], text[1:]
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self.down()
            else:
                self.put(character)

    def down(self):
        self.row += 1
        while len(self.lines) <= self.row:
            self.lines.append("")

    def put(self, character):
        width = 0 if unicodedata.combining(character) else (
            2 if unicodedata.east_asian_width(character) in "WF" else 1)
        if self.column + width > self.columns:
            self.has_wrapped = True
            self.down()
            self.column = 0
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[:self.column] + character + line[self.column + 1:]
        self.column += width

    def obey(self, numbers, letter):
        if letter == "A":
            self.row = max(0, self.row - int(numbers or 1))
        elif letter == "K":
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif letter == "J":
            self.lines[self.row] = self.lines[self.row][:self.column]
            del self.lines[self.row + 1:]


class TerminalTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def plan(self, *nodes):
        path = f"{self.folder.name}/plan.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"tasks": [
                {"id": name, "tool_name": tool, "args": args} for name, tool, args in nodes]}, file)
        return path

    def start(self, *arguments, columns=80, rows=24, stdout=None, **variables):
        """Starts weft on a terminal of its own."""
        control, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("WEFT_") and key != "NO_COLOR"}
        environment.update(TERM="xterm-256color", WEFT_STATE_DIR=f"{self.folder.name}/state")
        environment.update(variables)
        process = subprocess.Popen([WEFT, *arguments], stdin=terminal, stderr=terminal,
                                   stdout=terminal if stdout is None else stdout,
                                   env=environment, start_new_session=True)
        os.close(terminal)
        self.addCleanup(os.close, control)
        self.addCleanup(self.stop, process)
        self.control, self.process, self.text = control, process, ""
        self.screen = Screen(columns, rows)
        return process

    def stop(self, process):
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)

    def read(self, until=None):
        """Reads until a text was written, or until the end."""
        deadline = time.monotonic() + PATIENCE
        while until is None or until not in self.text:
            left = deadline - time.monotonic()
            self.assertGreater(left, 0, f"never {until!r} in {self.text!r}")
            if not select.select([self.control], [], [], left)[0]:
                continue
            try:
                data = os.read(self.control, 65536)
            except OSError:
                data = b""
            if not data:
                self.assertIsNone(until, f"it ended without {until!r}: {self.text!r}")
                break
            text = data.decode("utf-8", "replace")
            self.text += text
            self.screen.feed(text)
            self.check_height(text)
        return self.text

    def check_height(self, text):
        for numbers in re.findall(r"\x1b\[([0-9]*)A", text):
            self.assertLessEqual(int(numbers or 1) + 1, self.screen.rows - 2)


class ViewTests(TerminalTest):
    def test_the_view_appears_at_once_and_is_erased(self):
        plan = self.plan(("first", "sleep", {"ms": 700}), ("bad", "fail", {"message": "no luck"}),
                         ("last", "echo", {"of": "$first"}))
        self.start("run", "--plan", plan, "--diagnostics")
        self.read(until=" ms")
        self.assertIn("0/3", self.text, "the count and the clock are there before anything runs")
        self.read(until="running")
        self.assertIn("\x1b[K", self.text)
        self.read()
        self.assertEqual(self.process.wait(PATIENCE), 1)
        self.assertFalse(self.screen.has_wrapped)
        shown = "\n".join(self.screen.lines)
        self.assertRegex(shown, r"^run [0-9a-z-]+\n")
        self.assertEqual(shown.count("no luck"), 1, shown)
        self.assertNotIn("running", shown)
        self.assertIn("3 nodes: 2 succeeded, 1 failed", shown)

    def test_many_nodes_and_wide_names_fit_any_window(self):
        for columns, rows in [(80, 24), (40, 10), (20, 5)]:
            with self.subTest(columns=columns, rows=rows):
                nodes = [(f"a-very-long-name-of-a-node-{n}", "sleep", {"ms": 300})
                         for n in range(30)]
                nodes.append(("wide", "fail", {"message": "日本語 e\u0301 🚀 " * 20}))
                self.start("run", "--plan", self.plan(*nodes), "--diagnostics", "--slots", "20",
                           columns=columns, rows=rows)
                self.read(until="more")
                self.read()
                self.assertEqual(self.process.wait(PATIENCE), 1)
                self.assertIn("…", self.text)

    def test_another_size_clears_the_screen(self):
        plan = self.plan(*[(f"node-{n}", "sleep", {"ms": 1500}) for n in range(6)])
        self.start("run", "--plan", plan, "--diagnostics", "--slots", "6")
        self.read(until="running")
        fcntl.ioctl(self.control, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 40, 0, 0))
        self.process.send_signal(signal.SIGWINCH)
        seen = len(self.text)
        # The way back over lines that wrap now may be longer than what is drawn.
        self.screen = Screen(80, 24)
        self.read()
        self.assertEqual(self.process.wait(PATIENCE), 0)
        # A frame for the size before may still be unread. A frame is drawn over the one before;
        # only another size takes the lines away first.
        before, *after = re.split(r"\r(?:\x1b\[\d+A)?\x1b\[J", self.text[seen:], maxsplit=1)
        self.assertTrue(after, before)
        lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", after[0]).replace("\r", "\n").split("\n")
        running = [line for line in lines if "running" in line]
        self.assertTrue(running and all(len(line) < 40 for line in running), running)

    def test_terminals_that_only_print_get_no_view(self):
        plan = self.plan(("first", "sleep", {"ms": 300}))
        for variables in [{"TERM": "dumb"}, {"TERM": ""}]:
            with self.subTest(variables):
                self.start("run", "--plan", plan, "--diagnostics", **variables)
                self.assertNotIn("\x1b", self.read())
                self.assertEqual(self.process.wait(PATIENCE), 0)

    def test_colours_are_left_out_where_they_are_not_wanted(self):
        plan = self.plan(("first", "sleep", {"ms": 500}))
        self.start("run", "--plan", plan, "--diagnostics", NO_COLOR="1")
        text = self.read()
        self.assertIn("running", text)
        self.assertNotRegex(text, r"\x1b\[[0-9;]*m")

    def test_a_pipe_gets_no_view(self):
        plan = self.plan(("first", "sleep", {"ms": 300}))
        ended = subprocess.run([WEFT, "run", "--plan", plan, "--diagnostics"], timeout=PATIENCE,
                               capture_output=True, check=True,
                               env={**os.environ, "TERM": "xterm"})
        self.assertEqual((ended.stdout, ended.stderr), (b"[sleep] null\n", b""))


class HarmlessTests(TerminalTest):
    EVIL = "a\x1b[2J\x1b]0;title\x07b\x9b31m\x08\x7fc\u202ed"

    def test_output_of_tools_cannot_control_the_terminal(self):
        plan = self.plan(("good", "echo", {"x": self.EVIL}),
                         ("text", "fail", {"message": self.EVIL}))
        self.start("run", "--plan", plan, "--diagnostics", NO_COLOR="1")
        text = self.read()
        self.assertNotIn("\x1b[2J", text)
        for evil in "\x07\x9b\x08\x7f\u202e":
            self.assertNotIn(evil, text)
        self.assertNotIn("\x1b]", text)

    def test_pipes_get_the_raw_output_of_tools(self):
        plan = self.plan(("good", "echo", {"x": self.EVIL}))
        ended = subprocess.run([WEFT, "run", "--plan", plan, "--diagnostics", "--json"],
                               timeout=PATIENCE, capture_output=True, check=True)
        nodes = json.loads(ended.stdout)["nodes"]
        self.assertEqual(nodes["good"]["output"]["x"], self.EVIL)

    def test_an_answer_is_laid_out_for_people(self):
        path = f"{self.folder.name}/plan.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"tasks": [
                {"id": "a", "tool_name": "echo", "args": {"x": "one\u001b[31m"}},
                {"id": "b", "tool_name": "noop", "args": {}}],
                "join_instruction": "Add them up."}, file)
        self.start("run", "--plan", path, "--diagnostics", NO_COLOR="1")
        shown = CSI.sub("", self.read()).replace("\r", "")
        self.assertNotIn("Join:", shown)
        self.assertRegex(shown, r"(?m)^a \(echo\)$")
        self.assertRegex(shown, r"(?m)^b \(noop\)$")
        self.assertNotIn("Add them up.", shown)
        piped = subprocess.run([WEFT, "run", "--plan", path, "--diagnostics"], timeout=PATIENCE,
                               capture_output=True, check=True)
        self.assertIn(b"[noop] null\n\nJoin: Add them up.\n", piped.stdout)


class LaunchTests(TerminalTest):
    def test_workers_fit_any_window_and_an_interrupt_ends_them(self):
        path = f"{self.folder.name}/hosts.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write('coordinator: {listen: "127.0.0.1:0"}\n'
                       "workers: [{local: 14, diagnostics: true, slots: 1}]\n")
        for columns, rows in [(80, 24), (40, 10), (20, 5)]:
            with self.subTest(columns=columns, rows=rows):
                self.start("launch", path, columns=columns, rows=rows)
                self.read(until="14 workers: 14 r"[:columns - 2])
                self.process.send_signal(signal.SIGINT)
                self.read()
                self.assertEqual(self.process.wait(PATIENCE), 0)
                self.assertNotIn("hosts-local-1 ", "\n".join(self.screen.lines))
                self.assertEqual("more" in self.text, rows < 17)

    def test_a_pipe_gets_lines_also_beside_a_terminal(self):
        path = f"{self.folder.name}/hosts.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write('coordinator: {listen: "127.0.0.1:0"}\n'
                       "workers: [{local: 1, diagnostics: true}]\n")
        reader, writer = os.pipe()
        self.start("launch", path, stdout=writer)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as lines:
            for line in lines:
                if line == "hosts-local-1 running this host\n":
                    break
            else:
                self.fail("the pipe has no such line")
            self.process.send_signal(signal.SIGINT)
            self.assertIn("hosts-local-1 ended this host\n", lines.read())
        self.assertNotIn("\x1b", self.read())
        self.assertEqual(self.process.wait(PATIENCE), 0)


if __name__ == "__main__":
    unittest.main()
