"""The files for Kubernetes: they fit its schemas, ask for no rights, and their commands work."""

import base64
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

try:
    import kubernetes_validate
    import yaml
except ImportError as error:
    raise unittest.SkipTest(f"no {error.name} here; Deploy/check --deploy installs it") from error

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = ROOT / "Deploy" / "kubernetes"
WEFT = os.environ.get("WEFT") or str(ROOT / ".build" / "debug" / "weft")
PATIENCE = 20
"""Seconds to wait for something that should happen."""


def parsed(text):
    return [document for document in yaml.safe_load_all(text) if document]


def files():
    """The documents of the base's files, as kustomize would read them."""
    names = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    return [document for name in names for document in parsed((BASE / name).read_text())]


def built(folder=BASE):
    """What kustomize makes of the base, or without kubectl the files as they are."""
    if shutil.which("kubectl") is None:
        return files()
    said = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
    if said.returncode != 0 or said.stderr:
        raise AssertionError(f"kubectl kustomize: {said.stderr}")
    return parsed(said.stdout)


def problem(document):
    """What strict validation says against a document; None if it fits."""
    try:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error.message)
    return None


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.documents = built()
        cls.pods = {document["metadata"]["name"]: document["spec"]["template"]
                    for document in cls.documents if "template" in document.get("spec", {})}

    def find(self, kind, name):
        return next(document for document in self.documents
                    if document["kind"] == kind and document["metadata"]["name"] == name)

    def containers(self):
        for pod in self.pods.values():
            yield from pod["spec"].get("initContainers", []) + pod["spec"]["containers"]

    def test_all_that_belongs_to_it_is_there(self):
        kinds = {document["kind"] for document in self.documents}
        self.assertLessEqual({"Namespace", "StatefulSet", "Service", "Deployment", "Secret",
                              "NetworkPolicy", "PodDisruptionBudget"}, kinds)
        self.assertEqual({"weft-coordinator", "weft-worker"}, set(self.pods))

    def test_every_document_fits_its_schema(self):
        for document in self.documents:
            with self.subTest(document["kind"], name=document["metadata"]["name"]):
                self.assertIsNone(problem(document))

    def test_a_misspelt_field_is_found(self):
        text = yaml.safe_dump(self.find("Deployment", "weft-worker"))
        self.assertIsNotNone(problem(yaml.safe_load(text.replace("lifecycle", "lifecicle"))))

    def test_no_container_asks_for_rights(self):
        for name, pod in self.pods.items():
            with self.subTest(name):
                self.assertIs(False, pod["spec"]["automountServiceAccountToken"])
                context = pod["spec"]["securityContext"]
                self.assertIs(True, context["runAsNonRoot"])
                self.assertEqual({"type": "RuntimeDefault"}, context["seccompProfile"])
        for container in self.containers():
            with self.subTest(container["name"]):
                context = container["securityContext"]
                self.assertIs(False, context["allowPrivilegeEscalation"])
                self.assertIs(True, context["readOnlyRootFilesystem"])
                self.assertEqual({"drop": ["ALL"]}, context["capabilities"])
                self.assertLessEqual({"cpu", "memory"}, set(container["resources"]["requests"]))

    def test_selectors_fit_the_labels_of_the_pods(self):
        selectors = {
            (document["kind"], document["metadata"]["name"]): selector
            for document in self.documents
            if (selector := document.get("spec", {}).get("selector")
                or document.get("spec", {}).get("podSelector"))}
        self.assertEqual(7, len(selectors))
        for (kind, name), selector in selectors.items():
            with self.subTest(kind, name=name):
                labels = self.pods[name]["metadata"]["labels"]
                self.assertLessEqual(selector.get("matchLabels", selector).items(), labels.items())

    def test_an_overlay_brings_image_and_tools_as_the_first_lines_say(self):
        if shutil.which("kubectl") is None:
            self.skipTest("there is no kubectl")
        comment = (BASE / "kustomization.yaml").read_text()
        overlay = "".join(re.findall(r"^#   ([a-zA-Z]+: .*\n)", comment, flags=re.MULTILINE))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.relpath(ROOT, os.path.realpath(folder))
            pathlib.Path(folder, "kustomization.yaml").write_text(overlay.replace("PATH", path))
            pathlib.Path(folder, "tools.yaml").write_text("tools: []\n")
            documents = built(folder)
        self.assertEqual(len(self.documents), len(documents))
        tools = next(document for document in documents if document["kind"] == "ConfigMap")
        self.assertEqual("tools: []\n", tools["data"]["tools.yaml"])
        images = [container["image"] for document in documents
                  if "template" in document.get("spec", {})
                  for container in document["spec"]["template"]["spec"]["containers"]]
        self.assertEqual(["REGISTRY/weft:0.1.0"] * 2, images)

    def test_the_secret_is_filled_as_its_file_says(self):
        if shutil.which("kubectl") is None:
            self.skipTest("there is no kubectl")
        comment = re.sub(r"^# ?", "", (BASE / "secret.yaml").read_text(), flags=re.MULTILINE)
        command = re.search(r"kubectl -n weftline patch (.*\n.*)\n", comment)[1]
        command = command.replace("secret weft-worker", f"--local -f {BASE}/secret.yaml -o yaml")
        volume = next(volume for volume in self.pods["weft-worker"]["spec"]["volumes"]
                      if "secret" in volume)
        name = volume["secret"]["items"][0]["key"]
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, name).write_text("what a worker needs\n")
            said = subprocess.run(["bash", "-ec", f"kubectl patch {command}"], cwd=folder,
                                  capture_output=True, text=True)
        self.assertEqual(0, said.returncode, said.stderr)
        data = yaml.safe_load(said.stdout)["data"]
        self.assertEqual(b"what a worker needs\n", base64.b64decode(data[name]))
        self.assertEqual(volume["secret"]["secretName"], "weft-worker")


class Commands(unittest.TestCase):
    """The commands of the pods as processes here, with folders of their own for the volumes."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        pods = {document["metadata"]["name"]: document["spec"]["template"]["spec"]
                for document in built() if "template" in document.get("spec", {})}
        self.coordinator = pods["weft-coordinator"]["containers"][0]
        self.worker = pods["weft-worker"]["containers"][0]
        self.shell = pods["weft-worker"]["initContainers"][0]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.places = {
            "0.0.0.0:7420": f"0.0.0.0:{port}", "127.0.0.1:7420": f"127.0.0.1:{port}",
            "weft-coordinator:7420": f"127.0.0.1:{port}", "/usr/local/bin/weft": WEFT,
            "/bin/busybox": shutil.which("sh"), "$(POD_NAME)": "pod-1"}
        for folder in ["/var/lib/weftline", "/run/weftline", "/etc/weftline-key", "/etc/weftline"]:
            self.places[folder] = str(self.folder / folder[1:].replace("/", "-"))
            pathlib.Path(self.places[folder]).mkdir()
        # As the system that mounts a volume leaves its top.
        pathlib.Path(self.places["/var/lib/weftline"]).chmod(0o2775)
        self.environment = {**os.environ, **{
            variable["name"]: self.here(variable["value"])
            for variable in self.coordinator["env"]}}

    def here(self, text):
        for place, ours in self.places.items():
            text = text.replace(place, ours)
        return text

    def start(self, container):
        process = subprocess.Popen(
            [WEFT, *map(self.here, container["args"])], stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
            env=self.environment if container is self.coordinator else None)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def run_here(self, *command):
        return subprocess.run([*map(self.here, command)], env=self.environment,
                              capture_output=True, text=True, timeout=PATIENCE)

    def wait_until(self, condition, otherwise):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, otherwise)
            time.sleep(0.05)

    def probe(self, name):
        return self.run_here(*self.coordinator[name]["exec"]["command"]).returncode

    def test_the_pods_work_together_and_a_worker_drains_before_it_stops(self):
        self.assertNotEqual(0, self.probe("startupProbe"))
        coordinator = self.start(self.coordinator)
        self.wait_until(lambda: self.probe("startupProbe") == 0, "the coordinator is silent")
        self.assertEqual(0, self.probe("readinessProbe"))
        self.assertEqual(0, self.probe("livenessProbe"))

        exported = self.run_here(WEFT, "keys", "export", "worker", "--for", "weft-coordinator:7420")
        self.assertTrue(exported.stdout.startswith("wefts://"), exported.stderr)
        join = pathlib.Path(self.places["/etc/weftline-key"], "worker.join")
        join.touch(mode=0o600)
        join.write_text(exported.stdout)
        # It may be run again, when a pod's host was restarted.
        for _ in range(2):
            made = self.run_here(*self.shell["command"])
            self.assertEqual(0, made.returncode, made.stderr)
        manifest = pathlib.Path(self.places["/etc/weftline"], "tools.yaml")
        manifest.write_text(self.here((BASE / "tools.yaml").read_text()))
        worker = self.start(self.worker)
        self.wait_until(
            lambda: "pod-1" in self.run_here(WEFT, "workers").stdout, "no worker arrives")
        plan = self.folder / "plan.json"
        plan.write_text('{"tasks": [{"id": "v", "tool_name": "weft_version", "args": {}}]}')
        run = self.run_here(WEFT, "run", "--plan", str(plan))
        self.assertEqual(0, run.returncode, run.stderr)
        self.assertIn("weft ", run.stdout)

        hook = self.worker["lifecycle"]["preStop"]["exec"]["command"]
        # Here the worker is not process number 1.
        script = re.sub(r"(kill -\w+) 1\b", rf"\1 {worker.pid}", hook[-1])
        with subprocess.Popen(["sh", "-c", script], stderr=subprocess.DEVNULL) as stopping:
            self.assertEqual(0, worker.wait(PATIENCE))
            stopping.wait(PATIENCE)
        coordinator.terminate()
        self.assertEqual(0, coordinator.wait(PATIENCE))
        self.assertNotEqual(0, self.probe("livenessProbe"))


if __name__ == "__main__":
    unittest.main()
