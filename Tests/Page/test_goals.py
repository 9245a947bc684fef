"""A goal whose plan a recorded model writes: the planner's rounds, tokens, the growing plan, the answer."""

import os
import pathlib
import tempfile
import unittest

from browser import ROOT, SHOTS, PageTest
from model import ModelServer

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


class Models(PageTest):
    """What models are asked and write, while a model that streams writes it."""

    limits = {}

    @classmethod
    def setUpClass(cls):
        cls.model = ModelServer()
        cls.addClassCleanup(cls.model.stop)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        config = pathlib.Path(folder.name, "weft.yaml")
        config.write_text(cls.model.config)
        cls.options = ("--config", str(config))
        super().setUpClass()

    def test_prompts_replies_and_an_answer_that_grows(self):
        page = self.open()
        client = self.coordinator.greet("client")
        goal = "Say <b>hello</b>."
        client.send(type="submit", key="goal", goal=goal, join="llm")
        run = client.skip_to("accepted")["run"]
        self.visit(page, f"#/runs/{run}")
        planner = self.model.next_call()
        page.wait_for_selector(".model-calls >> text=planner · writing …")
        planner.write("This is no plan")
        page.wait_for_selector(".model-calls pre >> text=This is no plan")
        planner.end(" at all.")
        repair = self.model.next_call()
        page.wait_for_selector(".model-calls >> text=planner · a repair")
        repair.end('{"tasks":[{"id":"t1","tool_name":"echo","args":{"x":"hello"}}]}')
        joiner = self.model.next_call()
        joiner.write("Action: Finish(It says <i>hello</i>")
        page.wait_for_selector(".answer >> text=It says <i>hello</i>")
        joiner.write(" and then more")
        page.wait_for_selector(".answer >> text=hello</i> and then more")
        joiner.end(".)")
        self.wait_for_end(page, run)
        page.wait_for_selector(".model-calls >> text=joiner ·")
        page.wait_for_selector(".model-calls >> text=20 tokens in, 5 out")
        # The prompt has the goal as it was written, not as markup.
        page.locator(".model-calls summary").first.click()
        self.assertIn(goal, self.text(page, ".model-calls details"))
        self.assertEqual(page.locator(".model-calls pre b, .answer i").count(), 0)
        self.assert_fits(page)
        # The same of a page that comes when all is over.
        other = self.open(where=f"#/runs/{run}")
        other.wait_for_selector(".model-calls >> text=joiner ·")
        self.assertEqual(other.locator(".model-calls > li").count(), 3)
        other.locator(".model-calls summary").nth(1).click()
        other.screenshot(path=SHOTS / "models.png", full_page=True)


if __name__ == "__main__":
    unittest.main()
