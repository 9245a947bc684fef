"""Coordinators that share a journal in PostgreSQL: one leads and the others stand by, whatever happens to
the leader or to the database."""

import json
import os
import pathlib
import secrets
import signal
import tempfile
import time
import unittest

import test_restart
from database import Member, database, weft
from peer import PATIENCE, WEFT, Closed, Process
from test_coordinator import CoordinatorTest, plan
from test_restart import RestartTest

LIMITS = {"heartbeat": "500ms", "lease": "2500ms", "resume_window": "500ms", "finished_runs": 1}


class StandbyTest(CoordinatorTest):
    """Each test has a database of its own."""

    @classmethod
    def setUpClass(cls):
        database()

    def setUp(self):
        self.name, self.url = database().make()
        self.first = None

    def member(self, *options, **limits):
        """A coordinator; `self.coordinator` is the one whose peers a test makes."""
        member = Member(self.url, *options, keys=self.first, **{**LIMITS, **limits})
        self.first = self.first or member
        self.addCleanup(member.stop)
        return member

    def pair(self, *options, **limits):
        """A leader and one that stands by."""
        leader = self.member(*options, **limits).leads()
        self.coordinator = leader
        return leader, self.member(*options, **limits).stands_by()

    def worker(self, tool, **options):
        return self.coordinator.worker([{"name": tool, "idempotent": True}], **options)

    def sql(self, text):
        return database().run(text, self.name)


class LeadTests(StandbyTest):
    def test_one_that_stands_by_says_so_to_who_proves_itself(self):
        leader, standby = self.pair()
        for role in ("client", "worker", "viewer"):
            with self.assertRaisesRegex(AssertionError, "not_leader") as caught:
                standby.greet(role)
            self.assertIn(f"'leader': '{leader.address}'", str(caught.exception))
        # Without the key it says nothing of that.
        with self.assertRaisesRegex(AssertionError, "proof is wrong"):
            standby.greet("client", key=bytes(32), key_name="other")
        code, _, said = weft("status", "--coordinator", standby.address, "--state",
                             standby.folder.name)
        self.assertEqual(code, 3)
        self.assertIn(f"stands by, and the one at {leader.address} leads", said)

    def test_one_that_is_told_to_end_hands_over(self):
        leader, standby = self.pair()
        worker, client = self.worker("slow"), self.client()
        run = self.submit(client, plan(("a", "slow", {}), ("b", "slow", {"x": "${a}"})))
        attempt = worker.skip_to("dispatch")["attempt"]
        leader.process.terminate()
        leader.process.wait_for("draining")
        worker.send(type="result", attempt=attempt, ok=True, output=7)
        self.assertEqual(worker.skip_to("bye")["keeps_runs"], True)
        # The one that stands by does not wait until all of them have left.
        self.coordinator = standby.leads()
        worker.close()
        client.close()
        self.assertEqual(leader.process.exit_code(), 0)
        worker = self.worker("slow")
        self.assertEqual(self.answer(worker, output=8)["args"], {"x": 7})
        client = self.client()
        client.send(type="watch", run=run, level="end")
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
        # The former leader stands by when it is started again.
        leader.start()
        leader.stands_by()

    def test_a_command_follows_the_lead(self):
        leader, standby = self.pair()
        worker = self.worker("slow")
        folder = pathlib.Path(leader.folder.name)
        (folder / "plan.json").write_text(json.dumps(plan(("a", "slow", {}))))
        # The first of the list stands by, and names the other one.
        run = Process([WEFT, "run", "--plan", str(folder / "plan.json"), "--state", str(folder),
                       "--coordinator", f"{standby.address},{leader.address}"])
        self.addCleanup(run.stop)
        worker.skip_to("dispatch")
        worker.close()
        leader.kill()
        self.coordinator = standby.leads()
        self.answer(self.worker("slow"), output="x")
        self.assertEqual(run.exit_code(), 0, run.log)

    def test_three_take_turns(self):
        members = [self.member().leads()]
        members += [self.member().stands_by() for _ in range(2)]
        for _ in range(2):
            members.pop(0).kill()
            address = self.leader_of(members)
            members.sort(key=lambda member: member.address != address)
        self.assertEqual(self.sql("SELECT epoch FROM weftline.leader"), "3")
        members[0].greet("client")

    def leader_of(self, members):
        """The address of the one that leads now."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for member in members:
                if any(line.startswith("leads") for line in member.process.log):
                    return member.address
            time.sleep(0.01)
        raise AssertionError([member.process.log for member in members])

    def test_commands_work_on_it(self):
        leader, _ = self.pair()
        worker, client = self.worker("quick"), self.client()
        big = "x" * 100_000
        runs = []
        for label in ("first", "second\0"):
            runs.append(self.submit(client, plan(("a", "quick", {})), watch="end", join="json",
                                    label=label))
            self.answer(worker, output=big)
            self.end(client, runs[-1])
        where = ("--coordinator", leader.address, "--state", leader.folder.name)
        code, said, _ = weft("runs", "--json", *where)
        listed = [json.loads(line) for line in said.splitlines()]
        listed = listed[0] if isinstance(listed[0], list) else listed
        self.assertEqual(code, 0)
        self.assertIn(runs[0], said)
        # What is not in memory any more is read.
        self.assertEqual(self.get(client, "answer", id=runs[0]), {"a": big})
        code, said, wrong = weft("journal", "check", "--journal", self.url)
        self.assertEqual((code, wrong), (0, ""), said)
        self.assertRegex(said, r"runs +2, 0 of them not ended")
        code, said, wrong = weft("journal", "export", "--journal", self.url)
        self.assertEqual((code, wrong), (0, ""))
        kinds = [json.loads(line).get("record", {}).get("kind") for line in said.splitlines()]
        self.assertEqual(kinds.count("accepted"), 2)
        self.assertEqual(kinds.count("ended"), 2)
        code, _, wrong = weft("journal", "repair", "--journal", self.url)
        self.assertEqual(code, 2)
        self.assertIn("backup", wrong)
        self.assertEqual(weft("forget", *runs, *where)[0], 0)
        deadline = time.monotonic() + PATIENCE
        while self.sql("SELECT count(*) FROM weftline.runs") != "0":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        for table in ("batches", "outputs"):
            self.assertEqual(self.sql(f"SELECT count(*) FROM weftline.{table}"), "0")
        self.assertEqual(weft("journal", "check", "--journal", self.url)[0], 0)

    def test_a_changed_row_is_found(self):
        self.pair()
        worker, client = self.worker("quick"), self.client()
        run = self.submit(client, plan(("a", "quick", {})), watch="end")
        self.answer(worker, output=1)
        self.end(client, run)
        self.sql("UPDATE weftline.batches SET body = set_byte(body, 20, 65)")
        code, _, wrong = weft("journal", "check", "--journal", self.url)
        self.assertEqual(code, 1)
        self.assertRegex(wrong, f"run {run}: records from number 1 on were changed")


class FenceTests(StandbyTest):
    def test_what_a_stopped_leader_does_does_not_count(self):
        leader, standby = self.pair()
        worker, client = self.worker("slow"), self.client()
        run = self.submit(client, plan(("a", "slow", {}), ("b", "slow", {"x": "${a}"})))
        attempt = worker.skip_to("dispatch")["attempt"]
        worker.send(type="started", attempt=attempt)
        self.get(client, "status")
        os.kill(leader.process.process.pid, signal.SIGSTOP)
        # What it reads when it goes on: all of it would be answered.
        client.send(type="submit", key="late", plan=plan(("a", "slow", {})))
        client.send(type="get", request=7, what="status")
        worker.send(type="result", attempt=attempt, ok=True, output=7)
        standby.leads()
        os.kill(leader.process.process.pid, signal.SIGCONT)
        for peer in (client, worker):
            with self.assertRaises(Closed):
                while True:
                    self.assertEqual(peer.receive()["type"], "ping")
        self.assertEqual(leader.process.exit_code(), 1)
        leader.process.reader.join()
        self.assertRegex(leader.process.log[-1], "error: This coordinator does not lead any more")
        self.coordinator = standby
        client = self.client()
        self.assertEqual(self.sql("SELECT count(*) FROM weftline.runs"), "1")
        resume = {"session": worker.welcome["session"], "epoch": worker.welcome["epoch"]}
        peer = standby.greet("worker", name=worker.name, resume=resume)
        peer.send(type="register", slots=4, tools=[{"name": "slow", "idempotent": True}],
                  in_flight=[{"attempt": attempt, "state": "done"}])
        self.assertEqual(peer.skip_to("registered")["adopt"], [attempt])
        client.send(type="watch", run=run, level="end")
        peer.send(type="result", attempt=attempt, ok=True, output=7)
        self.assertEqual(self.answer(peer, output=8)["args"], {"x": 7})
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_an_append_of_another_epoch_writes_nothing(self):
        # Nothing beats meanwhile, and its session is untouched: only the fence is there.
        leader = self.member(lease="60s").leads()
        self.coordinator = leader
        client = self.client()
        self.submit(client, plan(("a", "slow", {})))
        self.sql("UPDATE weftline.leader SET epoch = epoch + 1")
        client.send(type="submit", key="late", plan=plan(("a", "slow", {})))
        with self.assertRaises(Closed):
            while True:
                self.assertNotEqual(client.receive()["type"], "accepted")
        self.assertEqual(leader.process.exit_code(), 1)
        self.assertEqual(self.sql("SELECT count(*) FROM weftline.runs"), "1")

    def test_a_leader_whose_session_is_ended_leaves_at_once(self):
        leader, standby = self.pair()
        self.sql("SELECT pg_terminate_backend(session) FROM weftline.leader")
        self.assertEqual(leader.process.exit_code(), 1)
        standby.leads()


class DatabaseTests(StandbyTest):
    def test_a_database_that_is_started_again(self):
        leader, standby = self.pair()
        run = self.submit(self.client(), plan(("a", "slow", {})))
        database().tell("stop")
        try:
            self.assertEqual(leader.process.exit_code(), 1)
            standby.process.wait_for("the journal is tried again")
        finally:
            database().tell("start")
        self.coordinator = standby.leads()
        worker = self.worker("slow")
        self.answer(worker, output=1)
        client = self.client()
        client.send(type="watch", run=run, level="end")
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def refusal(self, url, code=2):
        """What a coordinator says that cannot use the database."""
        with tempfile.TemporaryDirectory() as folder:
            process = Process([WEFT, "coordinator", "--listen", "127.0.0.1:0", "--state", folder,
                               "--journal", url])
            self.addCleanup(process.stop)
            self.assertEqual(process.exit_code(), code, process.log)
            process.reader.join()
        return "\n".join(process.log)

    def test_databases_that_cannot_be_used(self):
        place = self.url.split("@")[1]
        dead = f"127.0.0.1:1/{self.name}"
        secret = "hunter2"
        self.assertRegex(self.refusal(f"postgresql://weft:{secret}@{dead}", 3),
                         f"error: The journal postgresql://weft@{dead} cannot be reached .*refused")
        self.assertRegex(self.refusal(f"postgresql://weft:{secret}@{place}x", 3),
                         "cannot be reached .*does not exist")
        # What libpq says of this has the password in it.
        said = self.refusal(f"postgresql://weft:{secret}%zz@127.0.0.1/x")
        self.assertIn("cannot be read", said)
        self.assertIn("is written postgresql://USER@HOST:PORT/DATABASE", said.replace("\n", " "))
        self.assertIn("postgresql://USER@HOST", self.refusal(f"mysql://weft:{secret}@host/x"))
        self.assertNotIn(secret, said)

    def test_users_that_may_not_do_enough(self):
        user = f"user_{secrets.token_hex(4)}"
        self.sql(f"CREATE USER {user}")
        url = self.url.replace("weft@", f"{user}@")
        self.assertRegex(self.refusal(url), "may not be used by this user .*permission denied")
        self.member().leads()
        self.assertRegex(self.refusal(url), "may not be used by this user .*permission denied")
        self.sql(f"GRANT USAGE ON SCHEMA weftline TO {user};"
                 f"GRANT SELECT ON ALL TABLES IN SCHEMA weftline TO {user};"
                 f"GRANT INSERT, UPDATE, DELETE ON weftline.runs TO {user}")
        self.assertRegex(self.refusal(url),
                         "GRANT SELECT, INSERT, UPDATE, DELETE ON weftline.batches, weftline.outputs")

    def test_its_library_is_named(self):
        self.assertRegex(weft("version")[1], r"libpq \d+\.\d+")

    def test_a_newer_version_is_refused(self):
        self.member().leads()
        self.sql("UPDATE weftline.meta SET value = 2 WHERE name = 'version'")
        self.assertIn("version 2", self.refusal(self.url))

    def test_the_password_is_in_no_log(self):
        leader = self.member("--verbose").leads()
        secret = "hunter2"
        url = self.url.replace("weft@", f"weft:{secret}@")
        standby = Member(url, "--verbose", keys=leader, **LIMITS)
        self.addCleanup(standby.stop)
        standby.stands_by()
        leader.kill()
        standby.leads()
        self.sql("SELECT pg_terminate_backend(session) FROM weftline.leader")
        standby.process.exit_code()
        standby.process.reader.join()
        self.assertNotIn(secret, "\n".join(standby.process.log))
        for command in ("check", "export"):
            self.assertNotIn(secret, "".join(map(str, weft("journal", command, "--journal", url))))


MANIFEST = """
tools:
  - name: once
    description: Say a number, and note when it was said.
    parameters: {type: object, properties: {n: {type: integer}, of: {}}, required: [n]}
    command: [sh, -c, 'echo "$WEFT_RUN/$WEFT_NODE $(date +%%s.%%N)" >> "$0"; echo "$1"', "%s", "{n}"]
    output: json
  - name: again
    description: The same, and it may be said twice.
    parameters: {type: object, properties: {n: {type: integer}, of: {}}, required: [n]}
    command: [sh, -c, 'echo "$WEFT_RUN/$WEFT_NODE $(date +%%s.%%N)" >> "$0"; echo "$1"', "%s", "{n}"]
    output: json
    idempotent: true
"""


class ManyRunsTests(StandbyTest):
    RUNS = 200

    def test_a_leader_that_is_killed_among_many_runs(self):
        leader, standby = self.pair(lease="10s")
        folder = pathlib.Path(leader.folder.name)
        logs = [folder / "once.log", folder / "again.log"]
        (folder / "tools.yaml").write_text(MANIFEST % tuple(logs))
        worker = Process([WEFT, "worker", "--coordinator", f"{leader.address},{standby.address}",
                          "--state", str(folder), "--tools", str(folder / "tools.yaml"),
                          "--slots", "4"])
        self.addCleanup(worker.stop)
        client = self.client()
        runs = []
        for number in range(self.RUNS):
            client.send(type="submit", key=f"k{number}", join="json", plan=plan(
                ("a", "again", {"n": number}), ("b", "once", {"n": number + 1, "of": "${a}"}),
                ("c", "again", {"n": number + 2, "of": "${b}"})))
        for number in range(self.RUNS):
            runs.append(client.skip_to("accepted", key=f"k{number}")["run"])
        deadline = time.monotonic() + PATIENCE
        while not logs[0].exists() or logs[0].read_text().count("\n") < self.RUNS // 4:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        killed = time.time()
        leader.kill()
        self.coordinator = standby.leads()
        client = self.client()
        outcomes = {"run_succeeded": 0, "outcome_unknown": 0}
        for number, run in enumerate(runs):
            client.send(type="watch", run=run, level="nodes")
            events = [client.skip_to("event", run=run)]
            while not events[-1]["kind"].startswith("run_"):
                events.append(client.skip_to("event", run=run))
            failures = [event["data"]["code"] for event in events
                        if event["kind"] == "node_failed"]
            if failures:
                # A tool that must not run twice was under way, and nothing else fails.
                self.assertEqual(failures, ["outcome_unknown"])
                outcomes["outcome_unknown"] += 1
                continue
            self.assertEqual(events[-1]["kind"], "run_succeeded")
            outcomes["run_succeeded"] += 1
            self.assertEqual(self.get(client, "answer", id=run),
                             {"a": number, "b": number + 1, "c": number + 2})
        self.assertLessEqual(outcomes["outcome_unknown"], 4, outcomes)
        starts = [line.split() for log in logs for line in log.read_text().splitlines()]
        once = [node for node, _ in starts if node.endswith("/b")]
        self.assertEqual(len(once), len(set(once)), "a tool that must not run twice did")
        first = min(at for at in self.dispatches() if at > killed)
        print(f"\nfirst dispatch {first - killed:.3f} s after the death of the leader; {outcomes}",
              flush=True)
        self.assertLess(first - killed, 2)


    def dispatches(self):
        """When nodes were dispatched, in seconds of Unix time, as the journal says."""
        code, said, wrong = weft("journal", "export", "--journal", self.url)
        self.assertEqual((code, wrong), (0, ""))
        for line in map(json.loads, said.splitlines()):
            if "accepted_unix_ms" in line:
                accepted = line["accepted_unix_ms"] / 1e3
            elif line.get("record", {}).get("kind") == "dispatched":
                yield accepted + line["record"]["at"] / 1e6


class Alone(Member):
    """One that shares its journal with no other."""

    def start(self):
        super().start()
        self.leads()


class KilledWithDatabaseTests(RestartTest):
    """What holds for a journal in a file holds for one in a database."""

    @classmethod
    def setUpClass(cls):
        database()

    def setUp(self):
        _, url = database().make()
        self.coordinator = Alone(url, **self.limits)
        self.addCleanup(self.coordinator.stop)

    test_sessions = test_restart.KilledTests.test_a_worker_that_comes_back_keeps_what_it_runs
    test_results = test_restart.KilledTests.test_a_result_that_was_not_acknowledged_is_taken
    test_keys = (
        test_restart.KilledTests.test_the_same_key_is_the_same_run_also_when_it_has_ended)
