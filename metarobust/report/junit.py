"""The gates as JUnit XML, which continuous-integration services show beside a change."""

import re
from xml.etree import ElementTree

from metarobust.report.gates import GateRow
from metarobust.report.model import ReportModel

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(model: ReportModel) -> str:
    """One test suite with a case for every gate and learner; a failed gate is a failed case.

    The elements and attributes are those of the common JUnit schema (Apache Ant's reports), its
    required ones included.
    """
    failed = sum(not row.result.passed for row in model.gates)
    counts = {"tests": str(len(model.gates)), "failures": str(failed), "errors": "0"}
    root = ElementTree.Element("testsuites", {"name": "metarobust", **counts, "time": "0"})
    about = {"name": _clean(model.name), **counts, "skipped": "0", "time": "0"}
    place = {"timestamp": _timestamp(model.finished), "hostname": "localhost"}
    suite = ElementTree.SubElement(root, "testsuite", about | place)
    ElementTree.SubElement(suite, "properties")
    for row in model.gates:
        _case(suite, model.name, row)
    ElementTree.SubElement(suite, "system-out").text = _clean(model.verdict)
    ElementTree.SubElement(suite, "system-err").text = _clean(" ".join(model.warnings))
    ElementTree.indent(root)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return declaration + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, run: str, row: GateRow) -> None:
    result = row.result
    names = {"classname": _clean(f"{run}.{result.learner}"), "name": _clean(result.gate)}
    case = ElementTree.SubElement(suite, "testcase", {**names, "time": "0"})
    if not result.passed:
        words = {"message": _clean(row.sentence), "type": "gate"}
        failure = ElementTree.SubElement(case, "failure", words)
        failure.text = _clean(
            f"{result.learner} under {result.threat}: {result.score} {row.value}; {row.sentence}"
        )


def _clean(text: str) -> str:
    """Text without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _timestamp(moment: str) -> str:
    """A moment of the manifest as the schema wants it: no zone, no fraction."""
    found = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", moment)
    return found[0] if found else "1970-01-01T00:00:00"
