"""JsonGet: the machine asks for documents and goes on when they are there."""

from __future__ import annotations

import pytest

from tests.local.machine.simulation import Simulation, condition, flow_of, get, step

OUTPUTS = {"Outputs": [{"OutputName": "evaluation", "S3Output": {"S3Uri": "s3://b/run/evaluation"}}]}
URI = "s3://b/run/evaluation/evaluation.json"
AUC = {"Std:JsonGet": {"PropertyFile": get("Steps.Eval.PropertyFiles.metrics"), "Path": "metrics.auc.value"}}


def evaluated(**files: str) -> Simulation:
    """An execution whose evaluation has succeeded, in front of a gate on its metric."""
    evaluation = step("Eval")
    file = {"PropertyFileName": "metrics", "OutputName": "evaluation", "FilePath": "evaluation.json", **files}
    evaluation["PropertyFiles"] = [file]
    gate = condition("Gate", left=AUC, right=0.75, yes=[step("Yes")], no=[step("No")])
    return Simulation(flow_of(evaluation, gate, step("Other"))).start().succeed("Eval", ProcessingOutputConfig=OUTPUTS)


def test_the_document_is_asked_for_and_decides() -> None:
    execution = evaluated()
    assert execution.reads == [("Gate", URI)]
    assert execution.step("Gate").status == "Starting"
    assert execution.step("Gate").listed
    execution.read("Gate", URI, '{"metrics": {"auc": {"value": 0.75}}}')
    assert execution.launched == ["Yes"]
    assert execution.step("Gate").documents == {}


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        (None, "NoSuchKey", f"Std:JsonGet metrics.auc.value: cannot read {URI}: NoSuchKey"),
        ("{", None, f"Std:JsonGet metrics.auc.value: {URI} is not valid JSON: Expecting property name"),
        ('{"metrics": NaN}', None, "is not valid JSON: NaN is not a JSON number"),
        (
            '{"metrics": {"AUC": 1}}',
            None,
            f'Std:JsonGet metrics.auc.value is undefined in {URI}: metrics has no "auc"; the nearest is "AUC"',
        ),
        ('{"metrics": [1]}', None, 'metrics is a list of 1: "auc" needs an object'),
        ('{"metrics": {"auc": {"value": null}}}', None, "Std:JsonGet metrics.auc.value is null, where a single value"),
        ('{"metrics": {"auc": {"value": "0.8"}}}', None, 'cannot compare the string "0.8" with the number 0.75'),
    ],
)
def test_a_document_without_the_value_fails_the_consumer(text: str | None, error: str | None, reason: str) -> None:
    execution = evaluated().read("Gate", URI, text, error)
    assert execution.step("Gate").status == "Failed"
    assert reason in str(execution.step("Gate").failure_reason)


def test_a_property_file_of_an_unknown_output_names_the_nearest() -> None:
    reason = evaluated(OutputName="evaluations").step("Gate").failure_reason
    assert reason is not None
    assert reason.endswith('Outputs has no "evaluations"; the nearest is "evaluation"')


def test_an_output_uri_with_a_slash_at_its_end_gives_no_double_slash() -> None:
    evaluation = step("Eval")
    evaluation["PropertyFiles"] = [{"PropertyFileName": "metrics", "OutputName": "o", "FilePath": "f.json"}]
    execution = Simulation(flow_of(evaluation, step("Use", value=AUC))).start()
    output = {"OutputName": "o", "S3Output": {"S3Uri": "s3://b/run/"}}
    execution.succeed("Eval", ProcessingOutputConfig={"Outputs": [output]})
    assert execution.reads == [("Use", "s3://b/run/f.json")]


def test_every_consumer_reads_for_itself() -> None:
    # The object may have been overwritten between the two.
    uri = {"Std:JsonGet": {"S3Uri": "s3://b/fixed.json", "Path": "x"}}
    execution = Simulation(flow_of(step("A", x=uri), step("B", "A", x=uri))).start()
    assert execution.read("A", "s3://b/fixed.json", '{"x": 1}').launched == ["A"]
    assert execution.succeed("A").reads == [("B", "s3://b/fixed.json")]


def test_several_documents_are_asked_for_one_after_another() -> None:
    nested = {"Std:JsonGet": {"S3Uri": {"Std:JsonGet": {"S3Uri": "s3://b/index", "Path": "next"}}, "Path": "x[1]"}}
    execution = Simulation(flow_of(step("A", value=nested))).start()
    execution.read("A", "s3://b/index", '{"next": "s3://b/other"}')
    assert execution.reads == [("A", "s3://b/other")]
    execution.read("A", "s3://b/other", '{"x": [false, true]}')
    assert execution.commands[0].arguments == {"value": True}  # type: ignore[union-attr]


def test_an_answer_nobody_waits_for_changes_nothing() -> None:
    execution = evaluated()
    before = execution.state
    assert execution.read("Gate", "s3://b/else", "{}").state is before
    execution.read("Gate", URI, '{"metrics": {"auc": {"value": 1}}}')
    before = execution.state
    assert execution.read("Gate", URI, "{}").state is before


def test_stop_ends_a_step_that_waits_for_a_document() -> None:
    execution = evaluated().stop()
    assert execution.asked_to_stop == ["Other"]
    assert execution.step("Gate").status == "Stopped"
    assert execution.stopped("Other").state.status == "Stopped"


def test_a_failure_ends_a_step_that_waits_for_a_document() -> None:
    execution = evaluated().fail("Other")
    assert execution.step("Gate").status == "Stopped"
    assert execution.state.status == "Failed"
    assert execution.read("Gate", URI, "{}").commands == ()
