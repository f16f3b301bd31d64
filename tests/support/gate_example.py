"""A made-up audit whose gates pass, fail by their number, and fail by a sanity check."""

from metarobust.audit.gates import judge_gates
from metarobust.report.model import ReportModel, build_report
from tests.support.synthetic_run import synthetic_run

RECIPES = ("clean", "fgsm-linf", "pgd-linf", "label-flip")
GATES = (
    "accuracy[clean] >= 90 %",
    "ece[clean] <= 5 %",
    "protonet: robust_accuracy[pgd-linf eps=4/255 steps=20 restarts=2] >= 15 %",
    "robust_accuracy[fgsm-linf eps=16/255] >= 5 %",
    "accuracy[labels] >= 50 %",
)


def gate_example() -> ReportModel:
    run = synthetic_run()
    cells = [c for c in run.scored if c.evidence.description["threat"]["name"] in RECIPES]
    manifest = {**run.manifest, "name": "gate-example"}
    return build_report(manifest, cells, run.verdicts, judge_gates(GATES, cells, run.verdicts))
