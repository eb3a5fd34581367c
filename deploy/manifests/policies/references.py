"""Every name that a pod refers to exists."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from deploy.manifests.faults import Fault
from deploy.manifests.policies.objects import containers, name, pod, workloads
from deploy.manifests.render import K8S, Build, Document, label

EXAMPLE = K8S / "secrets.example"
MADE_BY_OTHERS = {"xiaoer-database-app": {"uri"}, "xiaoer-tls": {"tls.crt", "tls.key"}}
"""By CloudNativePG (components/postgres-operator), and by whoever issues the certificate."""


@cache
def documented_secrets(folder: Path = EXAMPLE) -> dict[str, set[str]]:
    """Return the names of the secrets in the example, each with its keys."""
    generators = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    found: dict[str, set[str]] = {}
    for secret in generators["secretGenerator"]:
        keys = {Path(file).name for file in secret.get("files", [])}
        for file in secret.get("envs", []):
            lines = (folder / file).read_text("utf-8").splitlines()
            keys |= {line.partition("=")[0] for line in lines if "=" in line}
        found[secret["name"]] = keys
    return found | MADE_BY_OTHERS


def secrets(build: Build) -> Iterator[Fault]:
    """Every secret is in k8s/secrets.example, and none is in the manifests."""
    known = documented_secrets()
    for document in build.of("Secret"):
        yield Fault("policy:secrets", label(document), "a secret stands in the manifests")
    for where, secret, key in _secret_references(build):
        if secret not in known:
            yield Fault("policy:secrets", where, f"the secret {secret} is not documented")
        elif key is not None and key not in known[secret]:
            yield Fault("policy:secrets", where, f"the secret {secret} has no key {key}")


def _secret_references(build: Build) -> Iterator[tuple[str, str, str | None]]:
    for workload in workloads(build):
        where = label(workload)
        for volume in pod(workload).get("volumes", []):
            if "secret" in volume:
                yield where, volume["secret"]["secretName"], None
        for container in containers(workload):
            for secret, key in _variables(container):
                yield where, secret, key
    for ingress in build.of("Ingress"):
        for tls in ingress["spec"].get("tls", []):
            yield label(ingress), tls["secretName"], None


def _variables(container: Document) -> Iterator[tuple[str, str | None]]:
    for entry in container.get("env", []):
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        if reference:
            yield reference["name"], reference["key"]
    for source in container.get("envFrom", []):
        if "secretRef" in source:
            yield source["secretRef"]["name"], None


def others(build: Build) -> Iterator[Fault]:
    """Configuration, claims, accounts, priorities, volumes and Services exist."""
    there = {label(document) for document in build.documents}
    for workload in workloads(build):
        for wanted in sorted(_wanted(workload) - there):
            yield Fault("policy:references", label(workload), f"{wanted} does not exist")
        declared = {one["name"] for one in pod(workload).get("volumes", [])} | {
            name(one) for one in workload["spec"].get("volumeClaimTemplates", [])
        }
        for container in containers(workload):
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in declared:
                    fault = f"{container['name']}: no volume {mount['name']}"
                    yield Fault("policy:references", label(workload), fault)


def _wanted(workload: Document) -> set[str]:
    spec = pod(workload)
    found = {f"ServiceAccount/{spec.get('serviceAccountName')}"}
    found.add(f"PriorityClass/{spec.get('priorityClassName')}")
    if "serviceName" in workload["spec"]:
        found.add(f"Service/{workload['spec']['serviceName']}")
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            found.add(f"ConfigMap/{volume['configMap']['name']}")
        if "persistentVolumeClaim" in volume:
            found.add(f"PersistentVolumeClaim/{volume['persistentVolumeClaim']['claimName']}")
    for container in containers(workload):
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                found.add(f"ConfigMap/{source['configMapRef']['name']}")
    return found
