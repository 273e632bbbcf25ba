"""deploy/k8s: valid for Kubernetes, in agreement with itself, and with the service."""
import functools

import kubernetes_validate
import pytest
import yaml

from deployed import IMAGE, KUBERNETES, ROOT, VERSION, program, put_files, run, secret_contents, settings
from service import Service

OVERLAYS = ["base", "sqlite"]
PROBES = {"startupProbe": "/startupz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


@functools.cache
def built(overlay):
    tool = program("kubectl", "kustomize")
    verb = "kustomize" if str(tool).endswith("kubectl") else "build"
    return list(yaml.safe_load_all(run(tool, verb, KUBERNETES / overlay)))


class Manifests:
    def __init__(self, overlay):
        self.overlay = overlay
        self.all = built(overlay)
        self.deployment = self.one("Deployment")
        self.pod = self.deployment["spec"]["template"]["spec"]
        self.container, = self.pod["containers"]
        self.labels = self.deployment["spec"]["template"]["metadata"]["labels"]

    def of(self, kind):
        return [m for m in self.all if m["kind"] == kind]

    def one(self, kind):
        found, = self.of(kind)
        return found

    @property
    def environment(self):
        config = self.one("ConfigMap")
        assert self.container["envFrom"] == [{"configMapRef": {"name": config["metadata"]["name"]}}]
        return {**IMAGE.environment, **config["data"], **{e["name"]: e["value"] for e in self.container["env"]}}

    def secret_files(self, certificate):
        """What is mounted where: paths and contents."""
        mounts = {m["name"]: m["mountPath"] for m in self.container["volumeMounts"]}
        tls = {name: (certificate / name).read_text() for name in ("tls.crt", "tls.key")}
        contents = {"doorward": secret_contents(), "doorward-tls": tls}
        return {f"{mounts[v['name']]}/{name}": text for v in self.pod["volumes"] if "secret" in v
                for name, text in contents[v["secret"]["secretName"]].items()}

    def settings(self, directory, certificate):
        environment = put_files(self.environment, self.secret_files(certificate), directory)
        return environment, settings(environment, directory)


@pytest.fixture(params=OVERLAYS)
def manifests(request):
    return Manifests(request.param)


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
def test_each_manifest_follows_the_schema_of_its_kind(manifests, version):
    for manifest in manifests.all:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_every_selector_finds_the_pods(manifests):
    selectors = [manifests.one("Service")["spec"]["selector"]]
    selectors += [m["spec"]["podSelector"]["matchLabels"] for m in manifests.of("NetworkPolicy")]
    selectors += [m["spec"]["selector"]["matchLabels"] for m in [manifests.deployment, *manifests.of("PodDisruptionBudget")]]
    selectors += [c["labelSelector"]["matchLabels"] for c in manifests.pod["topologySpreadConstraints"]]
    for selector in selectors:
        assert selector and selector.items() <= manifests.labels.items()


def test_every_name_names_something(manifests):
    namespace = manifests.one("Namespace")["metadata"]["name"]
    assert {m["metadata"].get("namespace", namespace) for m in manifests.all} == {namespace}
    assert manifests.pod["serviceAccountName"] == manifests.one("ServiceAccount")["metadata"]["name"]
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == ("Deployment", manifests.deployment["metadata"]["name"])
        assert scaler["spec"]["minReplicas"] == manifests.deployment["spec"]["replicas"]
    claims = [v["persistentVolumeClaim"]["claimName"] for v in manifests.pod["volumes"] if "persistentVolumeClaim" in v]
    assert claims == [m["metadata"]["name"] for m in manifests.of("PersistentVolumeClaim")]
    assert {m["name"] for m in manifests.container["volumeMounts"]} == {v["name"] for v in manifests.pod["volumes"]}
    assert manifests.container["image"] == f"doorward:{VERSION}"


def test_the_documentation_makes_the_secrets_that_are_mounted(manifests):
    text = (ROOT / "docs" / "deploying.md").read_text()
    for volume in manifests.pod["volumes"]:
        if "secret" in volume:
            assert f" {volume['secret']['secretName']} " in text
    for name in secret_contents():
        assert f"--from-file={name}" in text


def test_the_ports_are_those_that_the_service_listens_on(manifests, tmp_path, certificate):
    _, found = manifests.settings(tmp_path, certificate)
    ports = {p["name"]: p["containerPort"] for p in manifests.container["ports"]}
    assert ports == {"https": int(found["PORT"]), "metrics": int(found["METRICS_PORT"])}
    assert ports["https"] == int(IMAGE.one("EXPOSE"))
    assert {p["targetPort"] for p in manifests.one("Service")["spec"]["ports"]} == {"https"}
    allowed = {p["port"] for rule in manifests.one("NetworkPolicy")["spec"]["ingress"] for p in rule["ports"]}
    assert allowed == ports.keys()


def test_the_store_is_what_the_overlay_is_for_and_what_may_be_reached(manifests, tmp_path, certificate):
    _, found = manifests.settings(tmp_path, certificate)
    leaving = manifests.one("NetworkPolicy")["spec"].get("egress", [])
    reached = {p["port"] for rule in leaving for p in rule["ports"]}
    strategy = manifests.deployment["spec"]["strategy"].get("type")
    replicas = manifests.deployment["spec"]["replicas"]
    if manifests.overlay == "sqlite":
        assert found["DB_URI"].startswith("sqlite:./var/") and (replicas, strategy, reached) == (1, "Recreate", set())
    else:
        assert found["DB_URI"].startswith("mongodb://") and (replicas, strategy, reached) == (3, None, {53, 27017})


def test_a_pod_has_the_time_to_end(manifests, tmp_path, certificate):
    _, found = manifests.settings(tmp_path, certificate)
    assert manifests.pod["terminationGracePeriodSeconds"] > int(found["DRAIN_DELAY"]) + int(found["DRAIN_TIMEOUT"])
    assert int(found["DRAIN_DELAY"]) > 0


def test_a_pod_is_confined_to_what_the_image_needs(manifests):
    pod, container = manifests.pod["securityContext"], manifests.container["securityContext"]
    assert pod["runAsNonRoot"] and pod["runAsUser"] == pod["runAsGroup"] == pod["fsGroup"] == IMAGE.user != 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert not manifests.pod["automountServiceAccountToken"]
    writable = [m["mountPath"] for m in manifests.container["volumeMounts"] if not m.get("readOnly")]
    assert writable == [IMAGE.one("WORKDIR")]
    assert {v["secret"]["defaultMode"] for v in manifests.pod["volumes"] if "secret" in v} == {0o440}


def test_the_probes_succeed_on_the_service_with_these_settings(tmp_path, certificate):
    """On SQLite, since these ask for no server; the other overlay's settings are judged above."""
    manifests = Manifests("sqlite")
    environment, _ = manifests.settings(tmp_path, certificate)
    environment |= {"METRICS_PORT": "0", "DRAIN_DELAY": "0"}
    service = Service(tmp_path, **environment).start()
    with service.client() as client:
        for probe, path in PROBES.items():
            asked = manifests.container[probe]["httpGet"]
            assert asked == {"scheme": "HTTPS", "path": path, "port": "https"}
            assert client.get(asked["path"]).status_code == 200, probe
    assert service.stop() == 0


def test_both_overlays_ask_the_same_probes():
    assert [Manifests("base").container[p] for p in PROBES] == [Manifests("sqlite").container[p] for p in PROBES]
