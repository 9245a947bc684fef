"""What the page must not do: run what comes from outside, freeze, or let those order who may not."""

import http.client
import json
import tempfile
import unittest
from pathlib import Path

from browser import SHOTS, PageTest

HOSTILE = {
    "html": "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">",
    "</script><b>key</b>": "\u202eevil\u2066 \u200b\ufeff",
    "escapes": "\u001b[31mred\u001b[0m \u0007\u0000\u009b2J",
    "__proto__": {"polluted": True},
    "constructor": {"prototype": 1},
    "exact": [12345678901234567890, 1.0, 0.1],
    "deep": [[[[[[["bottom"]]]]]]],
}


class Safety(PageTest):
    def request(self, method, path, headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.coordinator.http, timeout=20)
        self.addCleanup(connection.close)
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read(), dict(reply.getheaders())

    def token(self, *flags):
        return self.coordinator.weft("dashboard", "--token", *flags)

    def hostile(self, output, tool="evil"):
        """A run whose node t gave that output, by a worker of the test's own."""
        worker = self.coordinator.worker([{"name": tool, "idempotent": True}])
        run = self.submit([("t", tool, {"given": "<i>\u202e"})], label="<u>hostile\u202e</u>")
        attempt = worker.skip_to("dispatch")["attempt"]
        worker.send(type="chunk", attempt=attempt, seq=0, stream="stderr",
                    data="<script>1</script>\u001b[2J\u202eback\n")
        text = json.dumps(output)
        if len(text) < 400_000:
            worker.send(type="result", attempt=attempt, ok=True, output=output)
        else:
            pieces = [text[at:at + 200_000] for at in range(0, len(text), 200_000)]
            for number, piece in enumerate(pieces):
                worker.send(type="chunk", attempt=attempt, seq=number, stream="value", data=piece)
            worker.send(type="result", attempt=attempt, ok=True,
                        output_chunks={"count": len(pieces), "bytes": len(text)})
        worker.skip_to("ack")
        return run

    def check_harmless(self, page):
        self.assertNotEqual(page.title(), "run")
        self.assertEqual(page.evaluate("({}).polluted === undefined"), True)
        self.assertEqual(page.locator("main script, main i:has-text('\u202e'), main u, main b b").count(), 0)
        self.assertEqual(page.evaluate(
            r"/[\u202a-\u202e\u2066-\u2069\u001b\u0007\u0000]/.test(document.body.innerText)"), False)

    def test_hostile_output_is_text(self):
        run = self.hostile(HOSTILE)
        page = self.open(where=f"#/runs/{run}/nodes/t")
        page.wait_for_selector(".card.output .tree")
        self.check_harmless(page)
        output = self.text(page, ".card.output")
        self.assertIn("12345678901234567890", output)
        self.assertIn("1.0", output)
        self.assertIn("<script>document.title='run'</script>", output)
        self.assertIn("\u27e8202e\u27e9evil", output)
        self.assertIn("<script>1</script>", self.text(page, ".card.logs"))
        for where in (f"#/runs/{run}", "#/runs", "#/tools", "#/workers", "#/stream"):
            self.visit(page, where)
            page.wait_for_timeout(300)
            self.check_harmless(page)

    def test_hostile_launches_are_text(self):
        launcher = self.coordinator.greet("client")
        members = [{"name": f"m-{number}", "group": "g", "site": "<b>\u202e", "state": "pending",
                    "note": HOSTILE["html"] + " \u001b[2J" + "long" * 60} for number in range(40)]
        launcher.send(type="launch", name="evil", host="<u>h\u202e", pid=1, members=members, groups=[
            {"name": "g", "kind": "slurm", "wanted": 40, "running": 0, "pending": 40}])
        page = self.open(phone=True, where="#/workers")
        page.wait_for_selector(".launches .member >> nth=39")
        self.check_harmless(page)
        self.assertIn("<script>document.title='run'</script>", self.text(page, ".launches"))
        self.assert_fits(page)
        page.screenshot(path=SHOTS / "launches-phone.png")
        launcher.close()
        page.wait_for_selector(".launches .pill.gone")

    def test_ten_megabytes_do_not_freeze_the_page(self):
        run = self.hostile("warp and weft " * 750_000, tool="long")
        page = self.open(where=f"#/runs/{run}")
        self.wait_for_end(page, run)
        page.evaluate("""() => {
            window.longest = 0;
            new PerformanceObserver((list) => {
                for (const one of list.getEntries()) {
                    window.longest = Math.max(window.longest, one.duration);
                }
            }).observe({ type: "longtask" });
        }""")
        self.visit(page, f"#/runs/{run}/nodes/t")
        page.wait_for_selector(".card.output button >> text=Show more")
        self.assertIn("10.0 MiB", self.text(page, ".card.output"))
        page.locator(".card.output button >> text=Show more").click()
        with page.expect_download() as download:
            page.locator(".card.output button >> text=Download").click()
        self.assertEqual(Path(download.value.path()).stat().st_size, 10_500_000)
        self.assertLess(page.evaluate("window.longest"), 1000)
        self.check_harmless(page)

    def test_images_of_mcp_content(self):
        pixel = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
                 "AABJRU5ErkJggg==")
        run = self.hostile({"content": [
            {"type": "text", "text": "one pixel"},
            {"type": "image", "mimeType": "image/png", "data": pixel},
            {"type": "image", "mimeType": "image/svg+xml", "data": "PHN2Zy8+"},
            {"type": "image", "mimeType": "image/png\" onerror=\"x", "data": pixel},
        ]}, tool="paint")
        page = self.open(where=f"#/runs/{run}/nodes/t")
        page.wait_for_selector("img.picture")
        self.assertEqual(page.locator("img").count(), 1)
        self.assertEqual(page.evaluate("document.querySelector('img.picture').naturalWidth"), 1)

    def test_a_viewer_has_no_buttons_and_its_orders_are_refused(self):
        run = self.submit([("n", "sleep", {"ms": 60_000})])
        self.addCleanup(self.coordinator.weft, "cancel", run)
        page = self.open(where=f"#/runs/{run}")
        page.wait_for_selector(".run .head .pill.running")
        self.assertEqual(page.locator(".run .buttons button").count(), 0)
        self.visit(page, "#/workers")
        page.wait_for_selector(".worker")
        self.assertEqual(page.locator(".worker button").count(), 0)
        status = page.evaluate("""run => fetch(`/v1/runs/${run}/cancel`, {
            method: "POST", body: "{}", headers: { "Content-Type": "application/json",
                Authorization: `Bearer ${JSON.parse(sessionStorage["weft-session"]).token}` },
        }).then((reply) => reply.status)""", run)
        self.assertEqual(status, 403)
        status, body, _ = self.request(
            "POST", f"/v1/runs/{run}/cancel",
            {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}, "{}")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (403, "forbidden"))

    def test_buttons_of_a_client(self):
        run = self.submit([("ask", "echo", {"to": "Lima"}), ("late", "sleep", {"ms": 60_000})],
                          approve=["echo"])
        page = self.open("--control", where=f"#/runs/{run}")
        page.wait_for_selector(".approval >> text=Lima")
        page.locator(".approval button >> text=Approve").click()
        page.locator("dialog button >> text=Approve").click()
        page.wait_for_selector(".nodes tr[data-key='ask'] .pill.succeeded")
        page.wait_for_selector(".approval", state="detached")
        page.locator(".run .buttons button >> text=Cancel").click()
        page.locator("dialog button >> text=Back").click()
        page.wait_for_timeout(200)
        page.locator(".run .buttons button >> text=Cancel").click()
        page.locator("dialog input").fill("it takes too long")
        page.locator("dialog button >> text=Cancel the run").click()
        self.wait_for_end(page, run, "cancelled")
        self.assertIn("it takes too long", self.text(page, ".run .head"))
        page.locator(".run .buttons button >> text=Retry").click()
        page.locator("dialog button >> text=Retry").click()
        page.wait_for_selector(".run .head .pill.running")
        again = page.evaluate("location.hash").split("/")[-1]
        self.assertNotEqual(again, run)
        self.coordinator.weft("cancel", again)

    def test_foreign_hosts_and_origins(self):
        token = {"Authorization": f"Bearer {self.token('--control')}"}
        own = f"127.0.0.1:{self.coordinator.http}"
        self.assertEqual(self.request("GET", "/", {"Host": "evil.example"})[0], 421)
        self.assertEqual(self.request("GET", "/v1/runs", {**token, "Host": "evil.example"})[0], 421)
        self.assertEqual(
            self.request("GET", "/v1/runs", {**token, "Origin": "https://evil.example"})[0], 403)
        self.assertEqual(
            self.request("GET", "/v1/runs", {**token, "Sec-Fetch-Site": "cross-site"})[0], 403)
        self.assertEqual(
            self.request("GET", "/v1/runs", {**token, "Origin": f"http://{own}",
                                             "Sec-Fetch-Site": "same-origin"})[0], 200)
        self.assertEqual(self.request("GET", "/v1/runs")[0], 401)

    def test_a_ticket_is_good_once(self):
        address = self.coordinator.page_address()
        page = self.open()
        context = page.context
        first, second = context.new_page(), context.browser.new_context().new_page()
        first.goto(address)
        first.wait_for_selector(".link.live")
        second.goto(address)
        second.wait_for_selector("text=The ticket in the address was used before")
        second.context.close()

    def test_policy_and_weight(self):
        status, body, headers = self.request("GET", "/")
        self.assertEqual(status, 200)
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "frame-ancestors 'none'", "connect-src 'self'"):
            self.assertIn(part, policy)
        self.assertNotIn("unsafe", policy)
        print(f"the page has {len(body):,} bytes")
        self.assertLess(len(body), 150 << 10)
        self.assertNotIn(b"http://", body.replace(b"http://www.w3.org/", b""))
        self.assertNotIn(b"https://", body)

    def test_first_picture(self):
        page = self.browser.new_page()
        self.addCleanup(page.close)
        page.goto(self.coordinator.page_address())
        page.wait_for_selector("tr[data-key], .empty:not([hidden])")
        times = page.evaluate("""() => performance.getEntriesByType("paint")
            .map((one) => `${one.name} ${Math.round(one.startTime)} ms`).join(", ")""")
        print(f"{times}, runs after {page.evaluate('Math.round(performance.now())')} ms")

    def test_a_report_is_one_harmless_file(self):
        run = self.hostile(HOSTILE, tool="reported")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "report.html")
            self.coordinator.weft("report", run, "--out", str(path))
            text = path.read_text()
            self.assertNotIn("<u>hostile", text)
            context = self.browser.new_context(offline=True)
            self.addCleanup(context.close)
            page = context.new_page()
            asked = []
            page.on("request", lambda request: asked.append(request.url))
            page.goto(path.as_uri())
            page.wait_for_selector(".run .head h1 >> text=hostile")
            page.wait_for_selector(".analysis")
            page.wait_for_selector(".nodes tbody tr[data-key='t']")
            self.assertGreater(self.colours(page, ".timeline canvas"), 2)
            self.check_harmless(page)
            page.locator(".nodes tbody tr[data-key='t'] a").click()
            page.wait_for_selector(".node .head .pill.succeeded")
            self.assertEqual([one for one in asked if not one.startswith(("file:", "data:"))], [])


if __name__ == "__main__":
    unittest.main()
