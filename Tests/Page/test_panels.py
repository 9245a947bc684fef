"""Each panel of the page with runs that go on, and what happens to the page meanwhile."""

import pathlib
import subprocess
import tempfile
import time
import unittest

from browser import PATIENCE, SHOTS, WEFT, PageTest, Process


def loom(width, ms):
    """A plan of several levels: a root, rows of calls behind it, and an end."""
    tasks = [("root", "sleep", {"ms": ms})]
    for number in range(width):
        tasks.append((f"a{number}", "sleep", {"ms": ms + 40 * number}, ["root"]))
        tasks.append((f"b{number}", "echo", {"row": number}, [f"a{number}"]))
    tasks.append(("end", "echo", {"all": [f"$b{number}" for number in range(width)]}))
    return tasks


class Panels(PageTest):
    def test_a_run_on_every_panel(self):
        page = self.open()
        run = self.submit(loom(12, 500), label="on every panel")
        row = page.locator(f"tr[data-key='{run}']")
        row.wait_for()
        self.assertIn("on every panel", row.inner_text())
        row.click()
        page.wait_for_selector(".run .head .pill.running")
        page.wait_for_selector(".tools tbody tr[data-key='sleep']")
        page.wait_for_timeout(600)
        self.assertGreater(self.colours(page, ".timeline canvas"), 4)
        self.assertGreater(self.colours(page, ".graph canvas"), 4)
        self.wait_for_end(page, run)
        self.assertIn("26 of 26 nodes", self.text(page, ".progress .words"))
        self.assertEqual(page.locator(".run .buttons button").count(), 0)
        self.assertIn("[echo]", self.text(page, ".answer"))

        page.locator(".nodes tbody tr[data-key='b3'] a").click()
        page.wait_for_selector(".node .head .pill.succeeded")
        self.assertIn("row", self.text(page, ".card.args"))
        self.assertIn("row", self.text(page, ".card.output"))
        self.assertIn("Needs a3", self.text(page, ".card.args"))
        page.wait_for_selector(".story-list li")
        self.assertIn("succeeded after", self.text(page, ".card.story"))
        self.assertRegex(self.text(page, ".card.attempts"), r"w-[12]")

        self.visit(page, "#/stream")
        page.wait_for_timeout(400)
        self.assertGreater(self.colours(page, ".timeline canvas"), 4)
        self.visit(page, "#/workers")
        page.wait_for_selector(".worker[data-key='w-1']")
        self.assertIn("of 4 slots in use", self.text(page, ".worker[data-key='w-1']"))
        self.visit(page, "#/tools")
        page.wait_for_selector(".tools-table tr[data-key='echo']")
        self.assertRegex(self.text(page, ".tools-table tr[data-key='echo']"), r"\d")

    def test_a_reload_in_the_middle_keeps_session_and_run(self):
        page = self.open()
        run = self.submit(loom(16, 500))
        self.visit(page, f"#/runs/{run}")
        page.wait_for_selector(".run .head .pill.running")
        page.reload()
        page.wait_for_selector(".link.live")
        page.wait_for_selector(".run .head h1")
        self.assertNotIn("ticket", page.url)
        self.wait_for_end(page, run)
        self.assertIn("34 of 34 nodes", self.text(page, ".progress .words"))

    def test_a_restart_of_the_coordinator_in_the_middle(self):
        run = self.submit([(f"n{number}", "sleep", {"ms": 700}) for number in range(48)])
        page = self.open(where=f"#/runs/{run}")
        page.wait_for_selector(".run .head .pill.running")
        page.wait_for_timeout(1200)
        self.coordinator.kill()
        page.wait_for_selector(".link.reconnecting")
        self.coordinator.start()
        page.wait_for_selector(".link.live")
        self.wait_for_end(page, run)
        self.assertIn("48 of 48 nodes", self.text(page, ".progress .words"))
        self.assertEqual(page.locator(".nodes tbody .pill.succeeded").count(), 48)

    def test_two_thousand_nodes_stay_smooth(self):
        tasks = [("root", "noop", {})]
        for number in range(1999):
            tasks.append((f"n{number}", "sleep", {"ms": 30}, [f"n{number - 400}" if number >= 400 else "root"]))
        run = self.submit(tasks)
        page = self.open(where=f"#/runs/{run}")
        page.wait_for_selector(".plan header .muted:not(:empty)")
        self.assertIn("2,000 nodes in 6 levels", self.text(page, ".plan header"))
        first = self.frames(page)
        page.locator(".graph").scroll_into_view_if_needed()
        second = self.frames(page)
        self.visit(page, "#/stream")
        third = self.frames(page)
        print(f"frames per second with 2,000 nodes live: {first['rate']:.0f} of the stream of the"
              f" run, {second['rate']:.0f} of its plan, {third['rate']:.0f} of the cluster;"
              f" longest {max(one['longest'] for one in (first, second, third)):.0f} ms")
        for one in (first, second, third):
            self.assertGreater(one["rate"], 10)
        self.visit(page, f"#/runs/{run}")
        self.wait_for_end(page, run)

    def test_most_nodes_fail(self):
        tasks = [("root", "noop", {})]
        for number in range(50):
            tool = "echo" if number % 5 == 0 else "fail"
            args = {} if tool == "echo" else {"message": f"thread {number} broke"}
            tasks.append((f"n{number}", tool, args, ["root"]))
            tasks.append((f"after{number}", "echo", {}, [f"n{number}"]))
        run = self.submit(tasks)
        page = self.open(where=f"#/runs/{run}")
        self.wait_for_end(page, run, "failed")
        page.wait_for_selector(".nodes tbody tr")
        self.assertIn("40 failed", self.text(page, ".progress .words"))
        self.assertIn("40 skipped", self.text(page, ".progress .words"))
        page.locator(".nodes select[aria-label=State]").select_option("failed")
        self.assertEqual(page.locator(".nodes tbody tr").count(), 40)
        page.locator(".nodes tbody tr[data-key='n1'] a").click()
        page.wait_for_selector(".node .problem:not([hidden])")
        self.assertIn("thread 1 broke", self.text(page, ".node .problem"))
        self.visit(page, f"#/runs/{run}/nodes/after1")
        page.wait_for_selector(".node .pill.skipped")
        self.assertIn("skipped because of n1", self.text(page, ".node .facts"))

    def test_a_node_shows_why_it_waits(self):
        run = self.submit([("lost", "no_such_tool", {})])
        page = self.open(where=f"#/runs/{run}/nodes/lost")
        page.wait_for_selector(".card.why li")
        self.assertIn("no_such_tool", self.text(page, ".card.why"))
        self.visit(page, "#/workers")
        page.wait_for_selector(".pending tbody tr")
        self.assertIn("no_such_tool", self.text(page, ".pending"))
        self.coordinator.weft("cancel", run)

    def test_a_launch_appears_changes_and_goes(self):
        page = self.open(where="#/workers")
        page.wait_for_selector(".worker[data-key='w-1']")
        self.assertFalse(page.locator(".launches").is_visible())
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "fleet.yaml")
            file.write_text("""
workers:
  - {local: 1, name: here, slots: 2, diagnostics: true}
  - {ssh: [nobody@127.0.0.1], name: away, tunnel: true, ssh_options: ["-p", "1"], min: 0, max: 3,
     count: 1, diagnostics: true}
""")
            arguments = ["--state", self.coordinator.folder.name]
            launch = Process([WEFT, "launch", str(file), "--coordinator", self.coordinator.address,
                              *arguments])
            self.addCleanup(launch.stop)
            page.wait_for_selector(".launches tr >> text=1 of 1")
            page.wait_for_selector(".launches .member >> text=nobody@127.0.0.1: ")
            rows = page.locator(".launches tbody tr").all_inner_texts()
            rows = [" ".join(row.split()) for row in rows]
            self.assertEqual(rows[0], "fleet here local 1 of 1")
            self.assertEqual(rows[1], "fleet away ssh 0 of 1 1 0 – 3")
            self.assertRegex(rows[2], "^fleet-away-1 (waiting|copying) nobody@127.0.0.1: ")
            page.screenshot(path=SHOTS / "launches.png", full_page=True)
            self.assert_fits(page)
            subprocess.run([WEFT, "launch", "--scale", "here=2", *arguments], check=True,
                           capture_output=True)
            page.wait_for_selector(".launches tr >> text=2 of 2")
            launch.terminate()
            page.wait_for_selector(".launches", state="hidden")

    def test_what_a_tool_writes_appears_while_it_runs(self):
        worker = self.coordinator.worker([{"name": "talk", "idempotent": True}], name="talker")
        run = self.submit([("t", "talk", {})])
        attempt = worker.skip_to("dispatch")["attempt"]
        worker.send(type="started", attempt=attempt)
        page = self.open(where=f"#/runs/{run}/nodes/t")
        page.wait_for_selector(".node .head .pill.running")
        for number, stream in enumerate(("stdout", "stdout", "stderr")):
            worker.send(type="chunk", attempt=attempt, seq=number if stream == "stdout" else 0,
                        stream=stream, data=f"line {number}\n")
            page.wait_for_selector(f".log span.{stream} >> text=line {number}")
        worker.send(type="progress", attempt=attempt, fraction=0.5, note="halfway")
        page.wait_for_selector(".facts >> text=halfway")
        worker.send(type="result", attempt=attempt, ok=True, output=True)
        page.wait_for_selector(".node .head .pill.succeeded")
        self.assertEqual(page.locator(".log").inner_text().split(), "line 0 line 1 line 2".split())

    def test_keys(self):
        run = self.submit(loom(4, 50), label="by keys")
        page = self.open()
        page.wait_for_selector(f"tr[data-key='{run}'] .pill.succeeded")
        page.keyboard.press("/")
        page.keyboard.type("by keys")
        page.keyboard.press("Escape")
        self.assertEqual(page.locator(".runs tbody tr").count(), 1)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_selector(".run .head h1 >> text=by keys")
        page.wait_for_selector(".plan header >> text=10 nodes in 4 levels")
        page.wait_for_timeout(300)
        page.locator(".timeline canvas").focus()
        for key in ("ArrowDown", "ArrowDown", "+", "ArrowLeft", "0", "ArrowDown", "Enter"):
            page.keyboard.press(key)
        page.wait_for_selector(".node .head")
        page.keyboard.press("Escape")
        page.wait_for_selector(".run .graph canvas")
        page.locator(".graph canvas").focus()
        for key in ("ArrowRight", "ArrowRight", "Enter"):
            page.keyboard.press(key)
        page.wait_for_selector(".node .head")
        page.keyboard.press("Escape")
        page.wait_for_selector(".run .head")
        page.keyboard.press("?")
        page.wait_for_selector("dialog.help")
        page.keyboard.press("Escape")
        for key, heading in (("2", "Task stream"), ("3", "Workers"), ("4", "Tools")):
            page.keyboard.press(key)
            page.wait_for_selector(f"h1 >> text={heading}")
        page.keyboard.press("1")
        page.wait_for_selector(".runs")

    def test_the_stream_is_zoomed_moved_and_followed_again(self):
        run = self.submit(loom(6, 200))
        page = self.open(where="#/stream")
        live = page.locator("button.chip >> text=Live")
        for sideways, down in ((0, -400), (300, 0)):
            page.mouse.move(700, 400)
            page.mouse.wheel(sideways, down)
            page.wait_for_selector("button.chip[aria-pressed=false] >> text=Live")
            live.click()
            page.wait_for_selector("button.chip[aria-pressed=true] >> text=Live")
        page.mouse.move(700, 400)
        page.mouse.down()
        page.mouse.move(500, 410)
        page.mouse.up()
        page.wait_for_selector("button.chip[aria-pressed=false] >> text=Live")
        self.assertEqual(page.evaluate("location.hash"), "#/stream")
        self.visit(page, f"#/runs/{run}")
        self.wait_for_end(page, run)

    def test_a_plan_of_thousands_is_drawn_by_level_and_tool(self):
        tasks = [("root", "noop", {})]
        tasks += [(f"n{number}", "noop", {}, ["root"]) for number in range(3000)]
        run = self.submit(tasks)
        page = self.open(where=f"#/runs/{run}")
        page.wait_for_selector(".plan header >> text=3,001 nodes in 2 levels, drawn by level and tool")
        self.wait_for_end(page, run)
        self.assertIn("The first 150 of 3,001", self.text(page, ".nodes .more"))

    def test_pictures(self):
        """Leaves pictures of every panel in .build/page, to be seen by people."""
        run = self.submit(loom(14, 500), label="weaving survey")
        time.sleep(0.8)
        for name, options in (("light", {}), ("dark", {"dark": True}),
                              ("light-phone", {"phone": True}),
                              ("dark-phone", {"phone": True, "dark": True})):
            page = self.open(**options)
            for panel, where in (("runs", "#/runs"), ("run", f"#/runs/{run}"),
                                 ("node", f"#/runs/{run}/nodes/a3"), ("stream", "#/stream"),
                                 ("workers", "#/workers"), ("tools", "#/tools")):
                self.visit(page, where)
                page.wait_for_selector("main h1, main .runs", timeout=PATIENCE)
                page.wait_for_timeout(300)
                page.screenshot(path=SHOTS / f"{panel}-{name}.png")
                self.assert_fits(page)


if __name__ == "__main__":
    unittest.main()
