"""Helpers of the tests of the page: a real coordinator that serves it, real workers, and Chromium."""

import pathlib
import socket
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Conformance"))

from peer import WEFT, Coordinator, Process  # noqa: E402

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None

CHROMIUM = "/usr/bin/chromium"
SHOTS = ROOT / ".build" / "page"
PATIENCE = 20_000
"""Milliseconds to wait for something that should appear."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Served(Coordinator):
    """A coordinator whose ports stay when it is started again."""

    def __init__(self, *options, **limits):
        self.listen, self.http = free_port(), free_port()
        super().__init__("--listen", f"127.0.0.1:{self.listen}", "--http",
                         f"127.0.0.1:{self.http}", *options, **limits)

    def start(self):
        # The one that lets the system choose comes first in the arguments of every coordinator.
        place = self.arguments.index("--listen")
        if self.arguments[place + 1].endswith(":0"):
            del self.arguments[place:place + 2]
        super().start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http}"

    def weft(self, *arguments):
        done = subprocess.run(
            [WEFT, *arguments, "--coordinator", self.address, "--state", self.folder.name],
            capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def page_address(self, *flags):
        return self.weft("dashboard", "--no-open", *flags)

    def run_worker(self, name, slots, *options):
        process = Process([WEFT, "worker", "--coordinator", self.address, "--state",
                           self.folder.name, "--name", name, "--slots", str(slots),
                           *options])
        process.wait_for("joined|registered|connected")
        return process


@unittest.skipUnless(sync_playwright and pathlib.Path(CHROMIUM).exists(),
                     "Chromium or Playwright is missing; Deploy/install --page installs both")
class PageTest(unittest.TestCase):
    """One coordinator, two workers and one browser for all tests of a class."""

    options = ()
    # Workers of the tests do not answer pings while a page is waited for.
    limits = {"heartbeat": "60s", "lease": "200s"}
    worker_options = ("--diagnostics",)

    @classmethod
    def setUpClass(cls):
        cls.coordinator = Served(*cls.options, **cls.limits)
        cls.addClassCleanup(lambda: cls.coordinator.stop())
        cls.workers = [cls.coordinator.run_worker(f"w-{number}", 4, *cls.worker_options)
                       for number in (1, 2)]
        for worker in cls.workers:
            cls.addClassCleanup(worker.stop)
        playwright = sync_playwright().start()
        cls.addClassCleanup(playwright.stop)
        cls.browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        cls.addClassCleanup(cls.browser.close)
        SHOTS.mkdir(parents=True, exist_ok=True)

    def setUp(self):
        self.addCleanup(self.coordinator.hang_up)

    def open(self, *flags, dark=False, phone=False, where=None):
        """A page with a session of its own; what its script complains about fails the test."""
        context = self.browser.new_context(
            viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 800},
            color_scheme="dark" if dark else "light", has_touch=phone, is_mobile=phone)
        self.addCleanup(context.close)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda entry: entry.type == "error" and "Failed to load" not in entry.text
                and "ERR_" not in entry.text and problems.append(entry.text))
        self.addCleanup(lambda: self.assertEqual(problems, []))
        page.goto(self.coordinator.page_address(*flags))
        page.wait_for_selector(".link.live")
        if where:
            self.visit(page, where)
        return page

    def visit(self, page, where):
        page.evaluate("where => { location.hash = where }", where)

    def submit(self, tasks, **fields):
        """Submits nodes of (id, tool, args) or (id, tool, args, dependencies)."""
        plan = {"tasks": [{"id": id, "tool_name": tool, "args": args,
                           "dependencies": rest[0] if rest else []}
                          for id, tool, args, *rest in tasks]}
        client = self.coordinator.greet("client")
        client.send(type="submit", key=f"k-{time.monotonic_ns()}", plan=plan, **fields)
        return client.skip_to("accepted")["run"]

    def wait_for_end(self, page, run, status="succeeded"):
        """Waits until the page of the run, which is open, says so."""
        page.wait_for_selector(f".run .head .pill.{status}")

    def text(self, page, selector):
        return page.locator(selector).first.inner_text()

    def colours(self, page, selector):
        """How many different colours a drawing has: an empty one has few."""
        return page.evaluate("""selector => {
            const canvas = document.querySelector(selector);
            const { data } = canvas.getContext("2d")
                .getImageData(0, 0, canvas.width, canvas.height);
            const seen = new Set();
            for (let at = 0; at < data.length; at += 4) {
                if (data[at + 3] === 255) {
                    seen.add((data[at] >> 4) << 8 | (data[at + 1] >> 4) << 4 | data[at + 2] >> 4);
                }
            }
            return seen.size;
        }""", selector)

    def frames(self, page, seconds=3):
        """Frames per second, and the longest time between two in milliseconds."""
        return page.evaluate("""seconds => new Promise((done) => {
            const begin = performance.now();
            let [last, frames, longest] = [begin, 0, 0];
            const next = () => {
                const now = performance.now();
                longest = Math.max(longest, now - last);
                frames += 1;
                last = now;
                if (now - begin < seconds * 1000) requestAnimationFrame(next);
                else done({ rate: frames / seconds, longest });
            };
            requestAnimationFrame(next);
        })""", seconds)

    def assert_fits(self, page):
        """Nothing makes the page wider than its window."""
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        self.assertLessEqual(over, 0, page.url)
