"""Bad inputs by name: what makes the command that meets one, and a phrase of what it must say."""

import json
import pickle
import sqlite3
import struct
import zipfile

import numpy as np
import torch

from tests.audit.bad_place import Evil, claim, flipped, png_header, saved, spoil

RECIPE = (
    "name: mine\nsummary: Mine.\nengine: pgd\nsurface: query\nknowledge: white-box\nnorm: linf\n"
)

CHECKPOINTS = {
    "pickle that runs a command": (
        lambda p: p.with_learner(pickle.dumps({"w": Evil()})),
        "is a pickle, which can contain code; refused",
    ),
    "torch.save of the same": (
        lambda p: p.with_learner(saved({"w": Evil()})),
        "torch.save writes, which can contain code; refused",
    ),
    "whole module": (lambda p: p.with_learner(saved(torch.nn.Linear(2, 2))), "can contain code"),
    "state with a numpy scalar": (
        lambda p: p.with_learner(saved({"w": torch.ones(1), "n": np.float64(1)})),
        "can contain code",
    ),
    "Git LFS pointer": (
        lambda p: p.with_learner(b"version https://git-lfs.github.com/spec/v1\noid sha256:1"),
        "run `git lfs pull`",
    ),
    "HTML page": (lambda p: p.with_learner(b"<!doctype html><p>404"), "is an HTML page"),
    "empty checkpoint": (lambda p: p.with_learner(b""), "is empty"),
    "truncated checkpoint": (
        lambda p: p.with_learner(lambda path: path.read_bytes()[:-9]),
        "a truncated one of ",
    ),
    "tensor of 1e10 elements in 16 bytes": (
        lambda p: p.with_learner(claim([10**10], [0, 16])),
        "not a safetensors file",
    ),
    "sidecar that asks for 10 TB": (
        lambda p: p.with_sidecar(lambda text: text.replace("16", str(10**6))),
        "input_shape: at most 16,777,216 values",
    ),
    "flipped byte": (lambda p: p.with_learner(flipped), "not those that were saved"),
    "header of 2^62 bytes": (
        lambda p: p.with_learner(struct.pack("<Q", 1 << 62) + b"{}"),
        "not a safetensors file",
    ),
    "NaN weights": (lambda p: p.with_tensors(spoil), "contain NaN or infinity in 'backbone.layer"),
    "missing tensor": (
        lambda p: p.with_tensors(lambda tensors: tensors.popitem()),
        "does not fit its learner: missing ['backbone",
    ),
    "other shape": (
        lambda p: p.with_sidecar(lambda text: text.replace('"width": 8', '"width": 6')),
        "has shape [8, 256], the learner expects [6, 256]",
    ),
    "other ways": (
        lambda p: p.audit("--set", "protocol.ways=2", learners=[str(p.tiny.maml)]),
        "its head is for 3 ways, got an episode of 2; use --set protocol.ways=3",
    ),
    "newer sidecar": (
        lambda p: p.with_sidecar(lambda text: text.replace('"schema": 1', '"schema": 9')),
        "written by a newer metarobust (schema 9",
    ),
    "sidecar whose training is text": (
        lambda p: p.with_sidecar(lambda text: json.dumps({**json.loads(text), "training": "x"})),
        "training: expected a mapping, got 'x'; restore the file",
    ),
    "sidecar whose seed is a list": (
        lambda p: p.with_sidecar(lambda text: json.dumps({**json.loads(text), "seed": [1]})),
        "seed: expected a whole number, got [1]",
    ),
    "sidecar nested 100,000 deep": (
        lambda p: p.with_sidecar(lambda text: "[" * 100_000),
        "nested too deeply",
    ),
    "unknown name": (lambda p: p.audit(learners=["protonet-glyph"]), "no checkpoint 'protonet-gl"),
    "name of 300 letters": (lambda p: p.audit(learners=["x" * 300]), "no checkpoint 'xxx"),
    "folder instead of a checkpoint": (lambda p: p.audit(learners=["."]), "no checkpoint '.'"),
}

ALIASES = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"

CONFIGURATIONS = {
    "YAML tag that runs code": (
        lambda p: ["audit", p.file("x.yaml", "name: !!python/object/apply:os.system [touch ran]")],
        "x.yaml, line 1: YAML tags are not allowed",
    ),
    "YAML alias bomb": (lambda p: ["audit", p.file("x.yaml", ALIASES)], "anchors are not allowed"),
    "duplicate key": (
        lambda p: p.with_recipe(RECIPE + "eps: 0.1\neps: 0.2\nsteps: 2\n"),
        "line 8: duplicate key 'eps' (first on line 7)",
    ),
    "empty file": (lambda p: ["audit", p.file("x.yaml")], "x.yaml: empty"),
    "YAML nested 5,000 deep": (
        lambda p: ["audit", p.file("x.yaml", "a: " + "[" * 5000)],
        "nested too deeply",
    ),
    "no such file": (lambda p: ["audit", "nowhere.yaml"], "no audit file nowhere.yaml"),
    "no such name": (lambda p: ["audit", "quik"], "unknown audit 'quik': did you mean 'quick'?"),
    "binary file": (lambda p: ["audit", p.file("x.yaml", b"\xff\xfe\x00")], "expected UTF-8 text"),
    "a word for eps": (
        lambda p: p.with_recipe(RECIPE + "eps: large\nsteps: 2\n"),
        "expected number or fraction like 8/255, got 'large'",
    ),
    "eps of 8": (
        lambda p: p.with_recipe(RECIPE + "eps: 8\nsteps: 2\n"),
        "eps=8 exceeds the data range [0,1]; did you mean 8/255?",
    ),
    "eps below 0": (
        lambda p: p.with_recipe(RECIPE + "eps: -0.1\nsteps: 2\n"),
        "at least 0, got -0",
    ),
    "eps of NaN": (lambda p: p.with_recipe(RECIPE + "eps: .nan\nsteps: 2\n"), "expected number or"),
    "no steps": (
        lambda p: p.with_recipe(RECIPE + "eps: 0.1\nsteps: 0\n"),
        "steps: expected at least 1, got 0",
    ),
    "more shots than images": (
        lambda p: p.audit("--set", "protocol.shots=7"),
        "an episode needs 11 images per class",
    ),
    "more ways than classes": (
        lambda p: p.audit("--set", "protocol.ways=7"),
        "meta-test has 6 classes, 7-way",
    ),
    "--set of nothing": (lambda p: p.audit("--set", "seed"), "--set seed: expected PATH=VALUE"),
    "--set of an unknown key": (
        lambda p: p.audit("--set", "protocol.shot=1"),
        "unknown key 'shot'; did you mean 'shots'",
    ),
    "class in two splits": (
        lambda p: p.audit(
            dataset={"name": "digits", "size": 16, "split": {"train": [0, 1], "test": [1, 2, 3]}}
        ),
        "digit '1' is listed under train and test",
    ),
    "plug-in that was not allowed": (
        lambda p: (
            p.file("evil.py", "open('ran', 'w').close()")
            and p.with_recipe(RECIPE.replace("pgd", "evil.py:A") + "eps: 0.1\n")
        ),
        "asks to run code from evil.py; if you trust it, pass --allow-code evil.py",
    ),
    "module of Python's path as a plug-in": (
        lambda p: p.with_recipe(RECIPE.replace("pgd", "os:system") + "eps: 0.1\n"),
        "expected an engine NAME, corruption:NAME, torchattacks:NAME, foolbox:NAME or FILE.py:",
    ),
    "GPU that is not there": (
        lambda p: p.audit("--set", "device=cuda:77"),
        "device: cuda:77 was asked for, but torch sees ",
    ),
}

NAMES = [
    "../../x",
    "/etc/x",
    '"a\\0b"',
    "x" * 300,
    "CON",
    "nul.txt",
    "x.",
    '""',
    "\u0430udit",
    ".x",
]
CONFIGURATIONS |= {
    f"run name {name[:9]!r}": (
        lambda p, name=name: p.audit("--set", f"name={name}"),
        "expected a name of 1 to 64 letters",
    )
    for name in NAMES
}

DATA = {
    "zip member with ..": (
        lambda p: p.with_picture(b"x", "../evil.png"),
        "'../evil.png' is not a relative path inside the archive; the whole zip is refused",
    ),
    "tar": (lambda p: p.with_data(b"a" * 2000, "x.tar"), "expected a zip, got another kind"),
    "zip bomb": (
        lambda p: p.with_picture(bytes(60 << 20), compression=zipfile.ZIP_DEFLATED),
        "refused as a decompression bomb",
    ),
    "truncated zip": (
        lambda p: p.with_data(p.tiny.pictures.read_bytes()[:-500]),
        "truncated or damaged one",
    ),
    "13000 x 13000 picture": (lambda p: p.with_picture(png_header(13000)), "13000x13000 pixels"),
    "truncated picture": (lambda p: p.with_picture(b"\x89PNG\r\n\x1a\n"), "bad.png': "),
    "web address": (
        lambda p: p.audit(dataset={"name": "folder", "root": "http://169.254.169.254/x.zip"}),
        "expected a local path, got the URL",
    ),
    "file address": (
        lambda p: p.audit(dataset={"name": "folder", "root": "file:///etc/passwd"}),
        "expected a local path, got the URL",
    ),
    "unknown data set": (lambda p: p.audit(dataset="omniglott"), "did you mean 'omniglot'"),
    "option of the wrong kind": (
        lambda p: p.audit(dataset={**p.tiny.dataset, "size": "16px"}),
        "option 'size': expected a whole number, got '16px'",
    ),
}


def newer(place):
    run = place.a_run()
    with sqlite3.connect(run / "run.db") as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    return ["report", run]


def truncated_store(place):
    run = place.a_run()
    (run / "run.db").write_bytes((run / "run.db").read_bytes()[:9000])
    return ["report", run]


def foreign(place):
    (place.folder / "run").mkdir()
    connection = sqlite3.connect(place.folder / "run" / "run.db")
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    return place.audit("--out", "run")


def linked(place):
    (place.folder / "real").mkdir()
    (place.folder / "link").symlink_to("real", target_is_directory=True)
    return place.audit("--out", "link")


def text_store(place):
    (place.folder / "run").mkdir()
    place.file("run/run.db", "these are my notes, and not a run of yours\n" * 9)
    return place.audit("--out", "run")


def of_another_experiment(place):
    place.a_run()
    return place.audit("--out", "run", "--set", "seed=3")


RUNS = {
    "run of a newer metarobust": (newer, "expected tables of version 2, got 7, made by metarobust"),
    "truncated run": (truncated_store, "damaged or truncated"),
    "another program's database": (foreign, "the database of another program"),
    "text called run.db": (text_store, "not a metarobust run"),
    "no run at all": (lambda p: ["report", "nowhere"], "no run here"),
    "run folder that is a link": (linked, "got a symbolic link to"),
    "run folder below a file": (
        lambda p: p.audit("--out", p.file("file") / "run"),
        "Not a directory",
    ),
    "another experiment": (of_another_experiment, "these differ: "),
}

CASES = CHECKPOINTS | CONFIGURATIONS | DATA | RUNS
