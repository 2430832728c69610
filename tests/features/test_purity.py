"""Compilation calls nobody and leaves the process as it was."""

from __future__ import annotations


def test_nothing_tries_to_reach_the_network(compiled):
    assert [report["network"] for report in compiled] == [[], []]


def test_importing_the_package_does_not_import_the_sdk(compiled):
    assert not compiled[0]["imported_before"]


def test_environment_logging_and_warnings_are_as_before(compiled):
    for report in compiled:
        assert report["after"] == report["before"]


def test_they_are_as_before_after_an_error_too(compiled):
    for report in compiled:
        assert report["after_error"] == report["before"]


def test_telemetry_studio_tags_and_local_clients_are_replaced_while_compiling_only(compiled):
    for report in compiled:
        assert set(report["inside"].values()) == {"pipelines.compile.sdk"}
        assert set(report["outside"]) == {"_send_telemetry_request", "_find_config", "LocalSagemakerClient"}
        assert all(module.startswith("sagemaker.") for module in report["outside"].values())


def test_no_thread_is_started(compiled):
    assert [report["threads"] for report in compiled] == [[], []]


def test_a_refusal_of_the_sdk_names_the_step_and_its_place(compiled):
    first, rest = compiled[0]["refusal"].split(": ", 1)
    assert first.endswith("cache/pipeline.yaml:4:3")
    assert rest.startswith("the SageMaker SDK refuses step 'Days': ZeroDivisionError: division by zero\n  fix: change")


def test_nothing_is_printed_logged_or_warned_of(compiled):
    """The root logger of those processes prints everything, and warnings are shown always."""
    assert [report["printed"] for report in compiled] == ["", ""]


def test_only_the_first_compilation_pays_for_the_sdk(compiled):
    first, *others = compiled[0]["imported"].values()
    assert first > 1000
    assert sum(others) < 20, others
