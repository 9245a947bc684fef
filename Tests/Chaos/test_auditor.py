"""The auditor finds what is wrong: a right run is accepted, and each fault that is put into its
records, its side log or what a client was told is found."""

import copy
import unittest

from auditor import Audit, Exported
from clients import Promise
from plans import Node, Plan
from report import Statistics

ERROR = {"code": "outcome_unknown", "message": "gone", "retryable": False}


class Faults:
    """Whom they hurt."""

    def __init__(self, *hurt):
        self.hurt = hurt

    def was_hurt(self, whom, begin, end):
        return any(name in whom for name in self.hurt)


class AuditorTests(unittest.TestCase):
    plan = Plan("p", [Node("a", "once", {"value": 1}, [], 2), Node("b", "slow", {}, ["a"], 2)])

    def setUp(self):
        self.row = {"run": "r", "label": "p", "status": "succeeded", "accepted_unix_ms": 0,
                    "succeeded": 2, "failed": 0, "skipped": 0, "cancelled": 0}
        self.records = [
            {"kind": "accepted"}, {"kind": "nodes_added", "tasks": [{"id": "a"}, {"id": "b"}]},
            {"kind": "ready", "node": 0},
            {"kind": "dispatched", "node": 0, "attempt": 1, "worker": "w", "at": 5},
            {"kind": "succeeded", "node": 0, "output": 2, "at": 9},
            {"kind": "ready", "node": 1},
            {"kind": "dispatched", "node": 1, "attempt": 1, "worker": "w", "at": 15},
            {"kind": "succeeded", "node": 1, "output": 2, "at": 19},
            {"kind": "ended", "status": "succeeded"}]
        self.log = ["r a 1", "r b 1"]

    def problems(self, *hurt, is_calm=False):
        audit = Audit(Faults(*hurt), "\n".join(self.log), Statistics())
        audit.run(self.plan, Exported(self.row, self.records), is_calm)
        return audit.problems

    def lose(self):
        """The first node is lost with its worker."""
        self.records[4] = {"kind": "failed", "node": 0, "error": ERROR, "at": 9}
        self.records[5:8] = [{"kind": "skipped", "node": 1, "because": 0}]
        self.records[-1] = {"kind": "ended", "status": "failed"}
        self.row |= {"status": "failed", "succeeded": 0, "failed": 1, "skipped": 1}
        self.log = ["r a 1"]

    def test_what_is_right(self):
        self.assertEqual(self.problems(), [])

    def test_faults_in_the_records(self):
        whole = copy.deepcopy(self.records)
        faults = {
            "another output": lambda r: r[4].update(output=3),
            "an end twice": lambda r: r.insert(5, r[4]),
            "no end of a node": lambda r: r.pop(7),
            "no end of the run": lambda r: r.pop(),
            "something after the end": lambda r: r.append({"kind": "ready", "node": 1}),
            "a number again": lambda r: r.insert(4, dict(r[3])),
            "before its dependency": lambda r: r.insert(2, r.pop(5)),
            "skipped without a reason": lambda r: r.__setitem__(
                7, {"kind": "skipped", "node": 1, "because": 0}),
            "another status": lambda r: r[-1].update(status="failed"),
            "cancelled by nobody": lambda r: r.insert(2, {"kind": "cancel_asked"}),
        }
        for name, put in faults.items():
            with self.subTest(name):
                self.records = copy.deepcopy(whole)
                put(self.records)
                self.assertNotEqual(self.problems(), [])

    def test_starts(self):
        for log in (["r a 1", "r a 1", "r b 1"], ["r a 1", "r a 2", "r b 1"], ["r b 1"],
                    ["r a 2", "r b 1"]):
            with self.subTest(log):
                self.log = log
                self.assertNotEqual(self.problems("coordinator"), [])

    def test_a_second_start_needs_a_failure_of_the_tool(self):
        again = [{"kind": "retrying", "node": 0, "attempt": 1, "cause": "failed",
                  "error": {"code": "tool_error", "exit_code": 9}},
                 {"kind": "dispatched", "node": 0, "attempt": 2, "worker": "w", "at": 7}]
        self.records[4:4] = again
        self.log = ["r a 1", "r a 2", "r b 1"]
        self.assertEqual(self.problems(), [])
        again[0]["error"] = {"code": "tool_error", "signal": 9}
        self.assertNotEqual(self.problems(), [])
        again[0] |= {"cause": "worker_lost"}
        self.assertNotEqual(self.problems(), [])

    def test_an_unknown_outcome_needs_a_fault(self):
        self.lose()
        self.assertEqual(self.problems("w"), [])
        self.assertEqual(self.problems("coordinator"), [])
        self.assertNotEqual(self.problems("another"), [])
        self.assertNotEqual(self.problems("w", is_calm=True), [])

    def test_what_clients_were_told(self):
        told = {"run": "r", "status": "succeeded", "answer": {"a": 2, "b": 2}, "exit": 0}
        for change in ({}, {"status": "failed"}, {"run": "other"}, {"answer": {"a": 2, "b": 3}},
                       {"exit": 3}):
            with self.subTest(change):
                audit = Audit(Faults(), "", Statistics())
                fields = told | change
                report = {"nodes": {name: {"output": value}
                                    for name, value in fields["answer"].items()}}
                promise = Promise(self.plan, "waiting", report=report, **fields)
                audit.promise(promise, [Exported(self.row, self.records)], False)
                self.assertEqual(bool(audit.problems), bool(change))

    def test_two_runs_of_one_submission(self):
        audit = Audit(Faults(), "", Statistics())
        run = Exported(self.row, self.records)
        audit.promise(Promise(self.plan, "raw"), [run, run], False)
        self.assertNotEqual(audit.problems, [])


if __name__ == "__main__":
    unittest.main()
