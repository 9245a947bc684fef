"""Completions of the names that a coordinator knows, as shells ask for them, and pages for man."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from peer import ROOT, WEFT
from test_coordinator import CoordinatorTest, plan


class CompletionTests(CoordinatorTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.share = pathlib.Path(folder.name)
        (cls.share / "weft").symlink_to(WEFT)
        cls.path = f"{folder.name}:{os.environ['PATH']}"
        subprocess.run(
            [ROOT / "Deploy/install", "--completions", "--man"], check=True, capture_output=True,
            timeout=60, env={**os.environ, "WEFT": WEFT, "WEFT_SHARE": folder.name})

    def setUp(self):
        super().setUp()
        self.worker = self.coordinator.worker([{"name": "grep", "description": "a:b\n\tc"}])
        self.run_name = self.submit(self.client(), plan(("n1", "grep", {}), ("n2", "grep", {})),
                                    label="x\ny")
        self.place = ["--coordinator", self.coordinator.address,
                      "--key-file", f"{self.coordinator.folder.name}/viewer.key"]

    def ask(self, *words, shell="bash", place=None):
        """What the program says for the last word, by the name of its argument."""
        *words, name = words
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("WEFT_")}
        done = subprocess.run(
            [WEFT, "---completion", words[0], "--", name, str(len(words)), "0", "weft", *words,
             *(self.place if place is None else place), ""],
            capture_output=True, text=True, timeout=60, check=False,
            env={**environment, "SAP_SHELL": shell, "WEFT_STATE_DIR": "/nowhere"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [line for line in done.stdout.split("\n") if line.strip()]

    def test_names_with_words_about_them(self):
        self.assertIn(self.run_name, self.ask("cancel", "positional@0"))
        self.assertIn(f"{self.run_name}:running x y",
                      self.ask("watch", "positional@0", shell="zsh"))
        self.assertEqual(self.ask("show", self.run_name, "positional@1", shell="fish"),
                         ["n1\tgrep, sent", "n2\tgrep, sent"])
        self.assertIn(self.worker.name, self.ask("drain", "positional@0"))
        self.assertEqual(self.ask("run", "--allow-tool", shell="zsh"), ["grep:a:b  c"])

    def test_silence_where_there_is_no_answer(self):
        self.assertEqual(self.ask("show", "nosuchrun", "positional@1"), [])
        self.assertEqual(self.ask("drain", "positional@0", place=["--tls", "perhaps"]), [])
        self.assertEqual(self.ask("drain", "positional@0", place=[]), [])
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            began = time.monotonic()
            place = ["--coordinator", f"127.0.0.1:{deaf.getsockname()[1]}", *self.place[2:]]
            self.assertEqual(self.ask("drain", "positional@0", place=place), [])
            self.assertLess(time.monotonic() - began, 5)

    def test_in_bash(self):
        """Bash splits words at colons."""
        host, port = self.coordinator.address.split(":")
        words = ["weft", "run", "--coordinator", host, ":", port, *self.place[2:],
                 "--allow-tool", ""]
        script = (
            'source "$1"; shift; COMP_WORDS=("$@"); COMP_LINE="${COMP_WORDS[*]}"; '
            'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_POINT=${#COMP_LINE}; '
            '_weft weft "" "${COMP_WORDS[COMP_CWORD - 1]}"; printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, "bash",
                               self.share / "bash-completion/completions/weft", *words],
                              capture_output=True, text=True, timeout=60, check=True,
                              env={**os.environ, "PATH": self.path})
        self.assertEqual(done.stdout.split(), ["grep"], done.stderr)

    def test_files_for_shells_and_man(self):
        for name in ("zsh/site-functions/_weft", "fish/vendor_completions.d/weft.fish"):
            self.assertIn("completion", (self.share / name).read_text())
        pages = sorted((self.share / "man/man1").iterdir())
        self.assertLessEqual({"weft.1", "weft-run.1", "weft-keys-add.1"},
                             {page.name for page in pages})
        for page in pages:
            text = page.read_text()
            for section in (".Sh NAME\n", ".Sh SYNOPSIS\n", ".Sh DESCRIPTION\n"):
                self.assertIn(section, text, page)
        if not shutil.which("mandoc"):
            self.skipTest("mandoc is not there: the language of the pages is not checked")
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *pages], capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main()
