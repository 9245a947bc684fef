"""A goal whose plan a recorded model writes: the planner's rounds, tokens, the growing plan, the answer."""

import os
import unittest

from browser import ROOT, PageTest

DEMO = ROOT / "Deploy" / "demo"


class Goals(PageTest):
    options = ("--config", str(DEMO / "weft.yaml"))
    limits = {}
    worker_options = ("--tools", str(DEMO / "tools.yaml"))

    @classmethod
    def setUpClass(cls):
        os.environ["SURVEY_TREE"] = str(ROOT)
        super().setUpClass()

    def test_a_goal_from_its_plan_to_its_answer(self):
        page = self.open()
        client = self.coordinator.greet("client")
        client.send(type="submit", key="goal", goal="How much of the tree is tests?", join="concat")
        run = client.skip_to("accepted")["run"]
        self.visit(page, f"#/runs/{run}")
        self.wait_for_end(page, run)
        page.wait_for_selector(".planner >> text=planned 6 nodes")
        self.assertIn("tree_root", self.text(page, ".planner .calls"))
        page.wait_for_selector(".plan header >> text=6 nodes in 4 levels")
        page.wait_for_selector(".answer >> text=Say how much of the tree is tests.")
        tiles = self.text(page, ".run .tiles")
        for name in ("Tokens", "Model", "First node"):
            self.assertIn(name, tiles)
        # The same of a page that comes when all is over.
        other = self.open(where=f"#/runs/{run}")
        other.wait_for_selector(".planner >> text=planned 6 nodes")
        other.wait_for_selector(".answer >> text=Say how much of the tree is tests.")
        self.assertGreater(self.colours(other, ".timeline canvas"), 4)


if __name__ == "__main__":
    unittest.main()
