"""A folder in which bad inputs lie, and the words of the command that meets them."""

import io
import json
import os
import struct
import zipfile
import zlib

import safetensors.torch
import torch

from metarobust.audit.plan import make_plan
from metarobust.audit.run import run_audit
from metarobust.config.audit import AuditConfig
from tests.support.tiny_project import save_learner, write_yaml


class Place:
    """A folder in which a case puts its files, and the words of the command that meets them."""

    def __init__(self, folder, tiny):
        self.folder, self.tiny = folder, tiny

    def file(self, name, content=b""):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def audit(self, *options, **changes):
        write_yaml(self.folder / "audit.yaml", self.tiny.audit(**changes))
        return ["audit", "audit.yaml", *options]

    def learner(self, name="x.safetensors", **options):
        return save_learner(self.folder / name, "protonet", **options)

    def with_learner(self, content):
        path = self.learner()
        path.write_bytes(content(path) if callable(content) else content)
        return self.audit(learners=[str(path)])

    def with_tensors(self, change):
        path = self.learner()
        tensors = safetensors.torch.load_file(path)
        change(tensors)
        safetensors.torch.save_file(tensors, path)
        return self.audit(learners=[str(path)])

    def with_sidecar(self, change):
        path = self.learner()
        sidecar = path.with_suffix(".json")
        sidecar.write_text(change(sidecar.read_text()))
        return self.audit(learners=[str(path)])

    def with_recipe(self, text):
        self.file("mine.yaml", text)
        return self.audit(threats=["mine.yaml"])

    def with_data(self, content, name="data.zip"):
        root = self.file(name, content)
        return self.audit(dataset={**self.tiny.dataset, "root": str(root)})

    def with_picture(self, content, name="test/class 10/bad.png", compression=zipfile.ZIP_STORED):
        stream = io.BytesIO(self.tiny.pictures.read_bytes())
        with zipfile.ZipFile(stream, "a", compression) as archive:
            archive.writestr(name, content)
        return self.with_data(stream.getvalue())

    def a_run(self, name="run"):
        config = AuditConfig.model_validate(self.tiny.audit())
        run_audit(make_plan(config, episodes=2), self.folder / name)
        return self.folder / name


class Evil:
    def __reduce__(self):
        return os.system, ("touch ran",)


def saved(thing):
    stream = io.BytesIO()
    torch.save(thing, stream)
    return stream.getvalue()


def flipped(path):
    content = bytearray(path.read_bytes())
    content[-2] ^= 0x01
    return bytes(content)


def claim(shape, offsets):
    entry = {"w": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}
    text = json.dumps(entry).encode()
    return struct.pack("<Q", len(text)) + text + bytes(16)


def spoil(tensors):
    tensors["backbone.layers.0.weight"][0, 0] = float("nan")


def png_header(side):
    """A PNG that promises a size and holds no pixel."""
    body = b"IHDR" + struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + b"\x35\xaf\x06\x1e"
