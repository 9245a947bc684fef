"""The lines of the README for two machines work as they are pasted."""

import subprocess

from hosts import ROOT, WEFT
from test_ssh import Launched


class Readme(Launched):
    names = ("a",)

    def lines(self):
        """The block of the README, for the hosts and the folder of this test."""
        text = (ROOT / "README.md").read_text().split("## Two machines")[1]
        block = text.split("```sh\n")[1].split("```")[0]
        for name in ("[B]", "/a/repository/on/B"):
            self.assertIn(name, block)
        return block.replace("[B]", "[root@a]").replace("/a/repository/on/B", str(self.tree))

    def test_two_machines(self):
        self.tree = self.hosts.folder / "a" / "home" / "tree"
        self.tree.mkdir()
        git = ["git", "-C", str(self.tree), "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for words in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "-m", "first"]):
            subprocess.run([*git, *words], check=True)
        (self.hosts.files / "Deploy").symlink_to(ROOT / "Deploy")
        script = f'weft() {{ "{WEFT}" "$@"; }}\nset -e\n{self.lines()}'
        said = self.hosts.run("hub", *self.hosts.environment(), "bash", "-c", script)
        self.assertIn("hosts-ssh-1  running  root@a", said)
        self.assertIn("[last_commit]", said)
        self.hosts.weft("launch", "--down")
        self.expect_nothing_left()
