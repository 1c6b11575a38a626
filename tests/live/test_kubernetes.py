"""Promise: what container/ holds for Kubernetes is valid there, runs with no right it does not need, keeps its secrets in
files, and is repeated only where repeating can help.

The schema is Kubernetes' own, bundled by a package that pip brings into build/; without pip that one test is skipped.
What no schema says is checked here, always, and every such check is shown to refuse its opposite."""

import copy
import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

import servers
import tool
from servers import ROOT

FOLDER = os.path.join(ROOT, "container")
FILES = ("secret.yaml", "cronjob.yaml", "restore-job.yaml")
VALIDATOR = "kubernetes-validate==1.37.0"
OLDEST = "1.31"  # podFailurePolicy is stable since then


def documents(name):
    with open(os.path.join(FOLDER, name)) as file:
        return [document for document in yaml.safe_load_all(file) if document]


def everything():
    return [document for name in FILES for document in documents(name)]


def only(kind, name):
    found = [document for document in documents(name) if document["kind"] == kind]
    assert len(found) == 1
    return found[0]


def job_spec(document):
    spec = document["spec"]
    return spec["jobTemplate"]["spec"] if document["kind"] == "CronJob" else spec


JOBS = {
    "cronjob.yaml": lambda: only("CronJob", "cronjob.yaml"),
    "restore-job.yaml": lambda: only("Job", "restore-job.yaml"),
}


@pytest.fixture(params=sorted(JOBS))
def job(request):
    return JOBS[request.param]()


# Kubernetes' own schema ---------------------------------------------------------------------------------

VALIDATE = """
import json, sys, kubernetes_validate
for document in json.load(sys.stdin):
    for version in sys.argv[1:] + [kubernetes_validate.latest_version()]:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            print(version, document["kind"], error.message)
"""


@pytest.fixture(scope="module")
def validator():
    """Returns what the schema has to say about some documents."""
    home = os.path.join(ROOT, "build", "kubernetes")
    python = shutil.which("python3")
    if not os.path.exists(os.path.join(home, "kubernetes_validate")):
        reason = servers.bring([python, "-m", "pip", "install", "--quiet", "--target", home, VALIDATOR], home)
        if reason is not None:
            pytest.skip("pip could not bring %s: %s" % (VALIDATOR, reason))

    def validate(some):
        done = subprocess.run(
            [python, "-c", VALIDATE, OLDEST],
            input=json.dumps(some),
            env=dict(os.environ, PYTHONPATH=home),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return validate


def test_the_schema_of_kubernetes(validator):
    assert validator(everything()) == []


def test_the_schema_would_refuse_a_slip(validator):
    misspelt = JOBS["cronjob.yaml"]()
    misspelt["spec"]["concurencyPolicy"] = misspelt["spec"].pop("concurrencyPolicy")
    typed = JOBS["restore-job.yaml"]()
    typed["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = 5
    said = validator([misspelt, typed])
    assert len([line for line in said if "concurencyPolicy" in line]) == 2, said
    assert len([line for line in said if " Job 5 " in line]) == 2, said


# What no schema says ------------------------------------------------------------------------------------


def complaints(document):
    """Every rule of ours that a job breaks."""
    spec = job_spec(document)
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    everywhere, here = pod.get("securityContext", {}), container.get("securityContext", {})
    limits = container.get("resources", {}).get("limits", {})
    rules = spec.get("podFailurePolicy", {}).get("rules", [])
    ends = [rule for rule in rules if rule["action"] == "FailJob"]
    ignores = [rule for rule in rules if rule["action"] == "Ignore"]
    mounts = {mount["name"]: mount for mount in container.get("volumeMounts", [])}
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    secret_mounts = [m["mountPath"] for n, m in mounts.items() if "secret" in volumes.get(n, {})]
    variables = {variable["name"]: variable for variable in container.get("env", [])}

    kept = {
        "one container": len(pod["containers"]) == 1,
        "never overtaken": document["kind"] == "Job"
        or document["spec"].get("concurrencyPolicy") == "Forbid",
        "a missed start is not forgotten": document["kind"] == "Job"
        or document["spec"].get("startingDeadlineSeconds", 0) >= 60,
        "pods are not restarted": pod.get("restartPolicy") == "Never",
        "how often is said": "backoffLimit" in spec,
        "a restore is not repeated": container["args"] != ["restore"] or spec["backoffLimit"] == 0,
        "exit codes that end a job": [
            (rule["onExitCodes"]["operator"], rule["onExitCodes"]["values"])
            for rule in ends
            if rule["onExitCodes"].get("containerName") == container["name"]
        ]
        == [("In", [2, 6])],
        "a drained node is nobody's failure": [
            condition["type"] for rule in ignores for condition in rule["onPodConditions"]
        ]
        == ["DisruptionTarget"],
        "not root": everywhere.get("runAsNonRoot") is True
        and everywhere.get("runAsUser") == everywhere.get("runAsGroup") == 65532,
        "the system calls of the runtime's profile": everywhere.get("seccompProfile")
        == {"type": "RuntimeDefault"},
        "a root that is only read": here.get("readOnlyRootFilesystem") is True,
        "no way up": here.get("allowPrivilegeEscalation") is False and "privileged" not in here,
        "no capability": here.get("capabilities") == {"drop": ["ALL"]},
        "no token of the cluster": pod.get("automountServiceAccountToken") is False,
        "no variables of services": pod.get("enableServiceLinks") is False,
        "limits": limits == {"cpu": "1", "memory": "512Mi"},
        "time to leave": pod.get("terminationGracePeriodSeconds", 0) >= 15,
        "the reason is shown": container.get("terminationMessagePolicy")
        == "FallbackToLogsOnError",
        "only files are mounted, to be read": all(m.get("readOnly") is True for m in mounts.values())
        and all(set(v) & {"secret", "configMap"} for v in volumes.values()),
        "the group may read the secrets": pod["securityContext"].get("fsGroup") == 65532
        and all(v["secret"].get("defaultMode") == 0o440 for v in volumes.values() if "secret" in v),
        "every mount has its volume": set(mounts) == set(volumes),
        "secrets are files": not [
            name
            for name, variable in variables.items()
            if (re.search("PASSWORD|SECRET|KEY|TOKEN|PASSPHRASE", name) and not name.endswith("_FILE"))
            or "valueFrom" in variable
            or re.search("://[^/]*:[^/]*@", variable["value"])
        ],
        "files lie in the secret": bool(secret_mounts)
        and all(
            variable["value"].startswith(tuple(m + "/" for m in secret_mounts))
            for name, variable in variables.items()
            if re.search("PASSWORD|SECRET|KEY", name)
        ),
    }
    return [name for name, holds in kept.items() if not holds]


def test_our_own_rules(job):
    assert complaints(job) == []


def breaking(path, value):
    """Set or remove one member, named by keys from the job's spec on."""

    def slip(document):
        at = job_spec(document)
        for key in path[:-1]:
            at = at[key]
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value

    return slip


POD = ["template", "spec"]
CONTAINER = POD + ["containers", 0]
SLIPS = {
    "pods are not restarted": breaking(POD + ["restartPolicy"], "OnFailure"),
    "how often is said": breaking(["backoffLimit"], None),
    "exit codes that end a job": breaking(
        ["podFailurePolicy", "rules", 0, "onExitCodes", "values"], [2]
    ),
    "a drained node is nobody's failure": breaking(["podFailurePolicy", "rules", 1], None),
    "not root": breaking(POD + ["securityContext", "runAsUser"], 0),
    "the system calls of the runtime's profile": breaking(
        POD + ["securityContext", "seccompProfile"], None
    ),
    "a root that is only read": breaking(
        CONTAINER + ["securityContext", "readOnlyRootFilesystem"], False
    ),
    "no way up": breaking(CONTAINER + ["securityContext", "allowPrivilegeEscalation"], True),
    "no capability": breaking(CONTAINER + ["securityContext", "capabilities", "add"], ["NET_RAW"]),
    "no token of the cluster": breaking(POD + ["automountServiceAccountToken"], None),
    "no variables of services": breaking(POD + ["enableServiceLinks"], None),
    "limits": breaking(CONTAINER + ["resources", "limits", "memory"], None),
    "time to leave": breaking(POD + ["terminationGracePeriodSeconds"], 5),
    "the reason is shown": breaking(CONTAINER + ["terminationMessagePolicy"], None),
    "only files are mounted, to be read": breaking(
        CONTAINER + ["volumeMounts", 0, "readOnly"], None
    ),
    "the group may read the secrets": breaking(
        POD + ["volumes", 0, "secret", "defaultMode"], 0o400
    ),
    "every mount has its volume": breaking(POD + ["volumes", 0], None),
    "secrets are files": breaking(CONTAINER + ["env", 0, "value"], "postgres://a:b@c/d"),
    "files lie in the secret": breaking(CONTAINER + ["volumeMounts", 0, "mountPath"], "/elsewhere"),
}


@pytest.mark.parametrize("rule", sorted(SLIPS))
def test_our_own_rules_refuse_a_slip(job, rule):
    spoilt = copy.deepcopy(job)
    if rule == "how often is said":
        spoilt_args = job_spec(spoilt)["template"]["spec"]["containers"][0]
        spoilt_args["args"] = ["dump"]
    SLIPS[rule](spoilt)
    assert rule in complaints(spoilt)


def test_the_exit_codes_mean_what_the_policy_believes():
    with open(os.path.join(ROOT, "src", "base", "err.def")) as file:
        kinds = dict(re.findall(r'ERR\((ERR_\w+), *"\w+", *(\d+)', file.read()))
    assert (kinds["ERR_CONFIG"], kinds["ERR_INTEGRITY"]) == ("2", "6")


# That the parts belong together -------------------------------------------------------------------------


def test_every_named_secret_and_rule_exists(job):
    names = {document["metadata"]["name"]: document for document in everything()}
    pod = job_spec(job)["template"]["spec"]
    held = {}
    for volume in pod["volumes"]:
        mount = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == volume["name"]][0]
        if "secret" in volume:
            keys = names[volume["secret"]["secretName"]]["stringData"]
        else:
            keys = names[volume["configMap"]["name"]]["data"]
        held.update({mount["mountPath"] + "/" + key: keys[key] for key in keys})
    for variable in pod["containers"][0]["env"]:
        if variable["name"].endswith("_FILE"):
            assert variable["value"] in held, variable


def test_the_secret_holds_nothing_but_placeholders():
    values = only("Secret", "secret.yaml")["stringData"].values()
    assert set(values) == {"PLACEHOLDER"}


def test_replica_understands_every_variable(job, tmp_path):
    """`env` under the variables of the job: all mistakes would be said at once."""
    container = job_spec(job)["template"]["spec"]["containers"][0]
    variables = {}
    for variable in container["env"]:
        value = variable["value"]
        if variable["name"].endswith("_FILE"):
            value = str(tmp_path / variable["name"])
            with open(value, "w") as file:
                file.write(
                    only("ConfigMap", "cronjob.yaml")["data"]["transform"]
                    if "TRANSFORM" in variable["name"]
                    else "placeholder\n"
                )
        variables[variable["name"]] = value
    variables["REPLICA_COMMAND"] = container["args"][0]
    result = tool.succeed(tool.run("env", **variables))
    for name in variables:
        if name.startswith("REPLICA_") and not name.endswith("_FILE"):
            assert name in result.out
    misspelt = dict(variables, REPLICA_TRANFORM="x")
    assert tool.run("env", **misspelt).code == tool.CONFIGURATION


def test_the_image_is_the_one_that_make_makes(job):
    with open(os.path.join(ROOT, "Makefile")) as file:
        version = re.search(r"^VERSION := (\S+)", file.read(), re.M).group(1)
    image = job_spec(job)["template"]["spec"]["containers"][0]["image"]
    assert image == "replica:" + version
