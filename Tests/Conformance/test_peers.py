"""The comparison with other systems, as far as it goes without any of them: its files are read,
every shape has a method or a reason, and canned figures become the table that they should."""

import importlib
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PEERS = pathlib.Path(__file__).resolve().parents[1] / "Benchmarks" / "peers"
sys.path.insert(0, str(PEERS))
peers, shared, table = (importlib.import_module(name) for name in ["peers", "shared", "table"])


def system(title, **shapes):
    return {"title": title, "version": "1.0", "shapes": shapes}


def figures(*systems, **fields):
    return {"date": "May 2030", "cores": 4, "load": 0.26, "rounds": 3, "systems": systems, **fields}


class PeersTest(unittest.TestCase):
    def test_scripts_compile(self):
        for path in [*PEERS.glob("*.py"), PEERS / "run"]:
            with self.subTest(path.name):
                compile(path.read_text(), str(path), "exec")

    def test_every_shape_has_a_method_or_a_reason(self):
        for name, shape in itertools.product(peers.NAMES, shared.SHAPES):
            with self.subTest(system=name, shape=shape):
                kind = peers.CLASSES[name]
                self.assertNotEqual(shape in kind.sizes, shape in kind.reasons)
                if shape in kind.sizes:
                    self.assertTrue(callable(getattr(kind, shape, None)))
                self.assertLessEqual(set(kind.remarks), set(kind.sizes))

    def test_layers_are_those_of_our_benchmark(self):
        self.assertEqual(shared.layered(999), [])
        self.assertEqual(shared.layered(1_000), [0, 1])
        self.assertEqual(shared.layered(2_999), [1_999, 1_000])

    def test_unknown_systems_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, str(PEERS / "run"), "--into", folder, "--only", "dask,no"]
            done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no no", done.stderr)


class TableTest(unittest.TestCase):
    def test_numbers_keep_two_digits(self):
        for number, text in [(0, "0"), (214_322, "210,000"), (99.6, "100"), (6.94, "6.9"),
                             (0.0468, "0.047"), (0.996, "1.00")]:
            self.assertEqual(table.shown(number), text)

    def test_figures_are_medians_in_the_unit_of_the_heading(self):
        self.assertEqual(table.figure("fanout", 1_000, [1, 8, 2]), 500)
        self.assertEqual(table.figure("chain", 100, [0.1, 0.2, 0.9]), 2)
        self.assertEqual(table.figure("payload", 1_000, [1, 1, 1]), 262.144)

    def test_a_table(self):
        remark = "Only messages."
        measured = {"nodes": 1_000, "seconds": [1.0, 2.0, 4.0]}
        text = table.table(figures(
            system("Ours", **dict.fromkeys(shared.SHAPES, measured)),
            system("Theirs", fanout={**measured, "remark": remark}, layers={"reason": "no DAG"},
                   chain={"reason": "none", "remark": "Failed: it ended early."},
                   payload={**measured, "remark": remark}, spawn={"reason": "runs functions"}),
        ))
        self.assertEqual(text, """\
May 2030, 4 cores, load 0.3 before; 2 workers × 4 slots over loopback TCP, median of 3 runs; \
in parentheses how many nodes. Ours 1.0, Theirs 1.0.

| system | fanout, tasks/s | chain, ms a hop | layers, tasks/s | payload, MB/s \
| spawn, processes/s |
|---|---|---|---|---|---|
| Ours | 500 (1,000) | 2.0 (1,000) | 500 (1,000) | 130 (1,000) | 500 (1,000) |
| Theirs | 500 (1,000) ¹ | none ² | no DAG | 130 (1,000) ¹ | runs functions |

- ¹ Only messages.
- ² Failed: it ended early.
""")

    def test_figures_are_shown_again_in_part(self):
        measured = {"nodes": 1_000, "seconds": [1.0]}
        shapes = dict.fromkeys(shared.SHAPES, measured)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(figures(system("Ours", **shapes)), file)
            file.flush()
            words = [sys.executable, str(PEERS / "table.py"), file.name, "--only", "fanout,chain"]
            text = subprocess.check_output(words, text=True, timeout=60)
        self.assertIn("| system | fanout, tasks/s | chain, ms a hop |\n|---|---|---|\n", text)
        self.assertIn("| Ours | 1,000 (1,000) | 1.0 (1,000) |\n", text)

    def test_a_quick_run_says_so(self):
        text = table.table(figures(rounds=1, cores=1))
        self.assertIn("1 core, ", text)
        self.assertIn("one run each", text)


if __name__ == "__main__":
    unittest.main()
