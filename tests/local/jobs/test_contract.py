"""What jobs find and leave upon a real runner: staging, several hosts, pipes, uploads while they run, checkpoints."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pipelines.errors import LocalError
from pipelines.local.runner.process import Container, ContainerRequest, ProcessRunner
from tests.local.local_aws import IMAGE, ROLE, Gate, eventually, processing_input, processing_output

if TYPE_CHECKING:
    from tests.local.jobs.conftest import Bench

Json = dict[str, Any]
BASE = "/opt/ml/processing"


def read(made: Bench, key: str) -> bytes:
    with made.store.open("data", key)[2] as stream:
        return stream.read()


def texts(made: Bench, prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): read(made, key).decode() for key in made.keys(prefix)}


def hosts(count: int) -> Json:
    return {"ClusterConfig": {"InstanceCount": count, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1}}


def one_output(uri: str = "s3://data/out", mode: str = "EndOfJob", name: str = "out") -> Json:
    return {"Outputs": [processing_output("out", uri, f"{BASE}/{name}", mode)]}


def train(made: Bench, code: str, **more: Any) -> Json:
    """A Training job whose channel `code` holds the program."""
    uri = made.put("code/train.py", made.prelude + code)
    return {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/train.py"],
        },
        "InputDataConfig": [channel("code", uri), *more.pop("channels", [])],
        "OutputDataConfig": {"S3OutputPath": "s3://data/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "RoleArn": ROLE,
    } | more


def channel(name: str, uri: str, source: Json | None = None, **more: Any) -> Json:
    given = {"S3DataType": "S3Prefix", "S3Uri": uri} | (source or {})
    return {"ChannelName": name, "DataSource": {"S3DataSource": given}} | more


def members(made: Bench, key: str) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(read(made, key))) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        return {member.name: archive.extractfile(member).read().decode() for member in files}  # type: ignore[union-attr]


# --- staging -----------------------------------------------------------------------------------------------------


def test_an_input_takes_no_room_and_what_the_program_does_to_it_changes_no_object(bench: Callable[..., Bench]) -> None:
    made = bench()
    if not made.overlays:
        pytest.skip("inputs are copied here: no overlay")
    for key in ("in/kept", "in/changed", "in/removed", "in/a:b,c\\d"):
        made.put(key, key)
    code = """
folder = ML / 'processing/in'
os.chmod(folder / 'kept', 0)
(folder / 'changed').write_text('by the program')
(folder / 'removed').unlink()
os.rename(folder / 'a:b,c\\\\d', ML / 'processing/out/moved')
(ML / 'processing/out/nodes').write_text(str(os.stat(folder / 'kept').st_nlink))
print('ready', flush=True)
while not (ML / 'processing/go').exists(): time.sleep(0.02)
"""
    request = made.processing(code, ProcessingOutputConfig=one_output())
    request["ProcessingInputs"].append(processing_input("in", "s3://data/in/", f"{BASE}/in"))
    job = made.create("Processing", request)
    running = threading.Thread(target=made.jobs.run, args=(job,))
    running.start()
    eventually(lambda: job.log.exists() and "ready" in job.log.read_text(), "the program")
    staged = {path.name: path.stat() for path in job.folder.rglob("*") if path.is_file()}
    assert staged["removed"].st_ino == (made.store.root / "data/in/removed").stat().st_ino
    job.stop()
    running.join(180)
    (made.store.root / "data/in/kept").chmod(0o644)
    assert texts(made, "in/") == {name: f"in/{name}" for name in ("kept", "changed", "removed", "a:b,c\\d")}


def test_an_input_may_be_moved_to_an_output_and_an_output_may_be_its_own_input(bench: Callable[..., Bench]) -> None:
    made = bench()
    for name in ("a", "b"):
        made.put(f"in/{name}", name)
    code = """
os.rename(ML / 'processing/in/a', ML / 'processing/out/a')
(ML / 'processing/both/b').write_text('changed')
"""
    outputs = one_output()["Outputs"] + [processing_output("both", "s3://data/both", f"{BASE}/both")]
    request = made.processing(code, ProcessingOutputConfig={"Outputs": outputs})
    for name in ("in", "both"):
        request["ProcessingInputs"].append(processing_input(name, "s3://data/in/", f"{BASE}/{name}"))
    assert made.run("Processing", request)["ProcessingJobStatus"] == "Completed"
    assert texts(made, "out/") == {"a": "a"}
    assert texts(made, "both/") == {"a": "a", "b": "changed"}
    assert texts(made, "in/") == {"a": "a", "b": "b"}


def test_a_job_does_not_see_what_is_written_to_its_input_meanwhile(bench: Callable[..., Bench], gate: Gate) -> None:
    made = bench()
    made.put("in/a", "old")
    code = f"""
{gate.line}
seen = (ML / 'processing/in/a').read_text() + str(len(os.listdir(ML / 'processing/in')))
(ML / 'processing/out/seen').write_text(seen)
"""
    request = made.processing(code, ProcessingOutputConfig=one_output())
    request["ProcessingInputs"].append(processing_input("in", "s3://data/in/", f"{BASE}/in"))
    job = made.create("Processing", request)
    running = threading.Thread(target=made.jobs.run, args=(job,))
    running.start()
    gate.reached()
    made.put("in/a", "new")
    made.put("in/more", "new")
    gate.open()
    running.join(180)
    assert texts(made, "out/") == {"seen": "old1"}


class Copying(ProcessRunner):
    """Where no overlay can be."""

    def overlays(self, _folder: Path) -> bool:
        return False


def test_where_no_overlay_can_be_inputs_are_copies_and_no_object_changes(
    bench: Callable[..., Bench], environments: Path
) -> None:
    made = bench(Copying(environments, lambda _: None))
    made.put("in/a", "before")
    code = """
(ML / 'processing/in/a').write_text('after')
os.rename(ML / 'processing/in/a', ML / 'processing/out/a')
"""
    request = made.processing(code, ProcessingOutputConfig=one_output())
    request["ProcessingInputs"].append(processing_input("in", "s3://data/in/", f"{BASE}/in"))
    assert made.run("Processing", request)["ProcessingJobStatus"] == "Completed"
    assert (texts(made, "in/"), texts(made, "out/")) == ({"a": "before"}, {"a": "after"})


# --- inputs ------------------------------------------------------------------------------------------------------


def test_a_pipe_gives_the_objects_one_after_the_other_once_for_each_epoch(bench: Callable[..., Bench]) -> None:
    made = bench()
    made.put("in/a", "first ")
    made.put("in/b", "second" * 50_000)
    code = """
for epoch in range(3):
    text = Path(f'{ML}/processing/in_{epoch}').read_text()
    (ML / f'processing/out/{epoch}').write_text(f'{text[:12]} {len(text)}')
(ML / 'processing/out/beside').write_text((ML / 'processing/beside/a').read_text())
"""
    request = made.processing(code, ProcessingOutputConfig=one_output())
    request["ProcessingInputs"] += [
        processing_input("in", "s3://data/in/", f"{BASE}/in", S3InputMode="Pipe"),
        processing_input("beside", "s3://data/in/a", f"{BASE}/beside"),
    ]
    record = made.run("Processing", request)
    assert record["ProcessingJobStatus"] == "Completed", record
    expected = "first second 300006"
    assert texts(made, "out/") == {"0": expected, "1": expected, "2": expected, "beside": "first "}


def test_a_compressed_channel_is_piped_as_it_was(bench: Callable[..., Bench]) -> None:
    made = bench()
    made.put_bytes("zip/a.gz", gzip.compress(b"one ") + gzip.compress(b"two "))
    made.put_bytes("zip/b.gz", gzip.compress(b"three"))
    code = "(ML / 'model/text').write_text(Path(f'{ML}/input/data/zip_0').read_text())"
    zipped = channel("zip", "s3://data/zip/", InputMode="Pipe", CompressionType="Gzip")
    record = made.run("Training", train(made, code, channels=[zipped]))
    assert record["TrainingJobStatus"] == "Completed", record
    assert members(made, "models/Job-1/output/model.tar.gz") == {"text": "one two three"}


def test_what_is_not_gzip_fails_the_job_and_names_the_object(bench: Callable[..., Bench]) -> None:
    made = bench()
    made.put("zip/a.gz", "plain")
    code = "[Path(f'{ML}/input/data/zip_{epoch}').read_text() for epoch in range(9)]"
    zipped = channel("zip", "s3://data/zip/", InputMode="Pipe", CompressionType="Gzip")
    record = made.run("Training", train(made, code, channels=[zipped]))
    assert record["TrainingJobStatus"] == "Failed"
    assert record["FailureReason"].startswith("ClientError: s3://data/zip/a.gz is not whole gzip: ")


def test_a_shuffled_pipe_has_another_order_in_each_epoch_and_the_same_in_each_run(bench: Callable[..., Bench]) -> None:
    made = bench()
    for letter in "abcdefgh":
        made.put(f"in/{letter}", letter)
    code = "(ML / 'model/t').write_text(' '.join(Path(f'{ML}/input/data/in_{n}').read_text() for n in (0, 1)))"
    shuffled = channel("in", "s3://data/in/", InputMode="Pipe", ShuffleConfig={"Seed": 7})
    found = []
    for name in ("one", "two"):
        made.run("Training", train(made, code, channels=[shuffled]), name)
        found.append(members(made, f"models/{name}/output/model.tar.gz")["t"])
    first, second = found[0].split()
    assert found[0] == found[1]
    assert first != second
    assert sorted(first) == sorted(second) == list("abcdefgh")


def test_a_pipe_that_the_program_replaced_by_a_link_writes_nothing_there(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("safe")
    made = bench()
    made.put("in/a", "evil")
    code = f"""
os.unlink(f'{{ML}}/processing/in_0')
os.symlink({str(target)!r}, f'{{ML}}/processing/in_0')
os.rename(f'{{ML}}/processing', f'{{ML}}/gone')
os.symlink({str(tmp_path)!r}, f'{{ML}}/processing')
time.sleep(600)  # till it is cut off
"""
    request = made.processing(code)
    request["ProcessingInputs"].append(processing_input("in", "s3://data/in/", f"{BASE}/in", S3InputMode="Pipe"))
    record = made.run("Processing", request)
    assert record["ProcessingJobStatus"] == "Failed"
    assert target.read_text() == "safe"
    assert not list(tmp_path.glob("in_*"))


def test_a_manifest_names_the_objects(bench: Callable[..., Bench]) -> None:
    made = bench()
    for key in ("raw/a", "raw/deep/b", "raw/left-out"):
        made.put(key, key)
    manifest = made.put("lists/m.json", json.dumps([{"prefix": "s3://data/raw/"}, "a", "deep/b"]))
    code = "import shutil; shutil.copytree(ML / 'processing/in', ML / 'processing/out', dirs_exist_ok=True)"
    request = made.processing(code, ProcessingOutputConfig=one_output())
    request["ProcessingInputs"].append(processing_input("in", manifest, f"{BASE}/in", S3DataType="ManifestFile"))
    assert made.run("Processing", request)["ProcessingJobStatus"] == "Completed"
    assert texts(made, "out/") == {"a": "raw/a", "deep/b": "raw/deep/b"}


# --- several hosts -----------------------------------------------------------------------------------------------

WHO = """
config = json.loads((ML / 'config/resourceconfig.json').read_text())
host, out = config['current_host'], ML / 'processing/out'
"""


def test_each_instance_is_a_container_and_they_run_at_once(bench: Callable[..., Bench]) -> None:
    made = bench()
    code = (
        WHO
        + """
import socket
if made := os.environ.get('OPT_ML'):  # no private root: no names
    config['hosts'] = [host]
server = socket.create_server((host if not made else '127.0.0.1', 5555 if not made else 0))
for other in config['hosts']:
    while not made:
        try: socket.create_connection((other, 5555)).close(); break
        except OSError: time.sleep(0.02)
(out / 'same').write_text(host)
(out / host).write_text(json.dumps(config))
(ML / 'output/message').write_text(f'from {host}')
print('I am', host)
for _ in config['hosts'] if not made else ():  # till all have come
    server.accept()
"""
    )
    request = made.processing(code, ProcessingOutputConfig=one_output(), ProcessingResources=hosts(3))
    job = made.create("Processing", request)
    record = made.jobs.run(job)
    assert record["ProcessingJobStatus"] == "Completed", [place.log.read_text() for place in job.places]
    names = ["algo-1", "algo-2", "algo-3"]
    assert (
        texts(made, "out/")
        == {
            **{name: json.dumps({"current_host": name, "hosts": names}) for name in names},
            "same": "algo-3",
        }
        or not made.overlays
    )
    assert record["ExitMessage"] == "from algo-1\nfrom algo-2\nfrom algo-3"
    assert [f"I am {place.host}" in place.log.read_text() for place in job.places] == [True] * 3


def test_objects_are_divided_among_the_hosts(bench: Callable[..., Bench]) -> None:
    made = bench()
    for letter in "abcde":
        made.put(f"in/{letter}", letter)
    code = WHO + "(out / host).write_text(' '.join(sorted(os.listdir(ML / 'processing/in'))))"
    request = made.processing(code, ProcessingOutputConfig=one_output(), ProcessingResources=hosts(2))
    sharded = processing_input("in", "s3://data/in/", f"{BASE}/in", S3DataDistributionType="ShardedByS3Key")
    request["ProcessingInputs"].append(sharded)
    assert made.run("Processing", request)["ProcessingJobStatus"] == "Completed"
    assert texts(made, "out/") == {"algo-1": "a c e", "algo-2": "b d"}


def test_one_host_that_fails_ends_the_others_and_its_message_is_the_reason(bench: Callable[..., Bench]) -> None:
    made = bench()
    code = (
        WHO
        + """
(ML / 'output/message').write_text(f'{host} says')
if host == 'algo-2': sys.exit(3)
time.sleep(600)
"""
    )
    request = made.processing(code, ProcessingOutputConfig=one_output(), ProcessingResources=hosts(3))
    record = made.run("Processing", request)
    assert record["ProcessingJobStatus"] == "Failed"
    assert record["FailureReason"] == "AlgorithmError: algo-2: algo-2 says, exit code: 3"
    assert made.keys("out/") == []


def test_a_host_that_cannot_be_started_ends_those_before_it(bench: Callable[..., Bench], environments: Path) -> None:
    class OneOnly(ProcessRunner):
        started: ClassVar[list[Container]] = []

        def start(self, request: ContainerRequest) -> Container:
            if request.host != "algo-1":
                raise LocalError("no more", fix="ask for less")
            self.started.append(super().start(request))
            return self.started[-1]

    runner = OneOnly(environments, lambda _: None)
    made = bench(runner)
    record = made.run("Processing", made.processing("time.sleep(600)", ProcessingResources=hosts(2)))
    assert record["FailureReason"] == "no more; fix: ask for less"
    assert runner.started[0].wait(0) is not None


def test_a_stop_reaches_every_host(bench: Callable[..., Bench]) -> None:
    made = bench()
    request = made.processing("print('begun', flush=True); time.sleep(600)", ProcessingResources=hosts(2))
    job = made.create("Processing", request)
    running = threading.Thread(target=made.jobs.run, args=(job,))
    running.start()
    for place in job.places:
        eventually(lambda at=place: at.log.exists() and "begun" in at.log.read_text(), place.host)  # type: ignore[misc]
    job.stop()
    running.join(180)
    assert job.status == "Stopped"


def test_training_on_groups_of_hosts_gives_one_model_of_all_files(bench: Callable[..., Bench]) -> None:
    made = bench()
    for letter in "abc":
        made.put(f"in/{letter}", letter)
    code = """
config = json.loads((ML / 'input/config/resourceconfig.json').read_text())
host = config['current_host']
channels = json.loads((ML / 'input/config/inputdataconfig.json').read_text())
seen = sorted(os.listdir(ML / 'input/data/in')) if 'in' in channels else None
(ML / 'model' / host).write_text(json.dumps([config['current_group_name'], config['current_instance_type'], seen]))
(ML / 'model/same').write_text(host)
if host == 'algo-3': (ML / 'output/data/log').write_text(json.dumps(config['instance_groups']))
"""
    groups = [
        {"InstanceGroupName": "big", "InstanceType": "ml.m5.large", "InstanceCount": 1},
        {"InstanceGroupName": "small", "InstanceType": "ml.t3.medium", "InstanceCount": 2},
    ]
    source = {"S3DataDistributionType": "ShardedByS3Key", "InstanceGroupNames": ["small"]}
    request = train(
        made,
        code,
        channels=[channel("in", "s3://data/in/", source)],
        ResourceConfig={"InstanceGroups": groups, "VolumeSizeInGB": 1},
    )
    record = made.run("Training", request)
    assert record["TrainingJobStatus"] == "Completed", record
    found = members(made, "models/Job-1/output/model.tar.gz")
    assert found.pop("same") == "algo-3"
    assert {name: json.loads(text) for name, text in found.items()} == {
        "algo-1": ["big", "ml.m5.large", None],
        "algo-2": ["small", "ml.t3.medium", ["a", "c"]],
        "algo-3": ["small", "ml.t3.medium", ["b"]],
    }
    log = json.loads(members(made, "models/Job-1/output/output.tar.gz")["log"])
    assert [(group["instance_group_name"], group["hosts"]) for group in log] == [
        ("big", ["algo-1"]),
        ("small", ["algo-2", "algo-3"]),
    ]


# --- uploads while a job runs ------------------------------------------------------------------------------------


def test_a_continuous_output_appears_while_the_job_runs_and_follows_its_changes(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    monkeypatch.setattr("pipelines.local.jobs.continuous.LOOK_SECONDS", 0.05)
    made = bench()
    code = """
out = ML / 'processing/out'
(out / 'deep').mkdir()
(out / 'deep/a').write_text('first')
(out / 'link').symlink_to('/etc/passwd')
(out / 'folder').symlink_to('/etc')
os.mkfifo(out / 'pipe')
GATE
(out / 'deep/a').write_text('second')
(out / 'late').write_text('late')
sys.exit(4)
""".replace("GATE", gate.line)
    request = made.processing(code, ProcessingOutputConfig=one_output(mode="Continuous"))
    job = made.create("Processing", request)
    running = threading.Thread(target=made.jobs.run, args=(job,))
    running.start()
    eventually(lambda: texts(made, "out/") == {"deep/a": "first"}, "the upload")
    assert job.status == "InProgress"
    gate.reached()
    gate.open()
    running.join(180)
    assert job.status == "Failed"
    assert texts(made, "out/") == {"deep/a": "second", "late": "late"}


def test_checkpoints_come_back_and_go_even_from_a_job_that_fails(bench: Callable[..., Bench]) -> None:
    made = bench()
    code = """
folder = ML / 'checkpoints'
step = len(os.listdir(folder))
(folder / str(step)).write_text(f'step {step}')
sys.exit(1 if step < 2 else 0)
"""
    statuses = []
    for number in range(3):
        checkpoints = {"CheckpointConfig": {"S3Uri": "s3://data/checkpoints"}}
        statuses.append(made.run("Training", train(made, code, **checkpoints), f"run-{number}")["TrainingJobStatus"])
    assert statuses == ["Failed", "Failed", "Completed"]
    assert texts(made, "checkpoints/") == {"0": "step 0", "1": "step 1", "2": "step 2"}


@pytest.mark.parametrize("how", ["stop", "limit"])
def test_a_training_that_is_stopped_leaves_the_model_that_it_saves_on_sigterm(
    bench: Callable[..., Bench], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(stop_grace=600)
    code = """
def save(*_):
    (ML / 'model/m').write_text('half')
    os._exit(0)
signal.signal(signal.SIGTERM, save)
print('begun', flush=True)
time.sleep(600)
"""
    limit = {"StoppingCondition": {"MaxRuntimeInSeconds": 1 if how == "limit" else 600}}
    job = made.create("Training", train(made, code, **limit))

    def listens() -> bool:
        return job.log.exists() and "begun" in job.log.read_text()

    seconds = type(job).limit.fget  # the time counts from when the program listens
    monkeypatch.setattr(type(job), "limit", property(lambda job: eventually(listens, "the program") and seconds(job)))
    running = threading.Thread(target=made.jobs.run, args=(job,))
    running.start()
    eventually(listens, "the program")
    if how == "stop":
        job.stop()
    running.join(180)
    assert job.record["TrainingJobStatus"] == "Stopped"
    assert job.record["SecondaryStatus"] == ("Stopped" if how == "stop" else "MaxRuntimeExceeded")
    assert members(made, "models/Job-1/output/model.tar.gz") == {"m": "half"}
    assert job.record["ModelArtifacts"]["S3ModelArtifacts"] == "s3://data/models/Job-1/output/model.tar.gz"


# --- when the disk does not play along ---------------------------------------------------------------------------


def test_outputs_that_cannot_be_uploaded_are_kept_and_the_reason_says_where(bench: Callable[..., Bench]) -> None:
    made = bench()
    made.put("out/taken", "an object where the output has a folder")
    code = "(ML / 'processing/out/taken').mkdir(); (ML / 'processing/out/taken/x').write_text('precious')"
    record = made.run("Processing", made.processing(code, ProcessingOutputConfig=one_output()))
    assert record["ProcessingJobStatus"] == "Failed"
    kept = made.home.kept / "Processing/Job-1"
    assert record["FailureReason"].startswith("ClientError: out/taken/x and out/taken cannot both be: ")
    assert record["FailureReason"].endswith(f"; what the program wrote is kept in {kept}")
    assert (kept / "algo-1/ml/processing/out/taken/x").read_text() == "precious"
    assert not (kept / "algo-1/staged").exists()  # its files are those of the objects
    assert read(made, "out/taken") == b"an object where the output has a folder"
    made.jobs.recover()
    assert kept.exists()
    made.jobs.delete("Processing", "Job-1")
    assert not kept.exists()


@pytest.mark.parametrize("name", ["in", "in/a"])
def test_inputs_that_want_the_same_place_are_told_so(bench: Callable[..., Bench], name: str) -> None:
    made = bench()
    made.put("one/a", "a file")
    made.put("two/a/b", "below a folder of that name")
    request = made.processing()
    request["ProcessingInputs"] += [
        processing_input("one", "s3://data/one/", f"{BASE}/in"),
        processing_input("two", "s3://data/two/" + ("" if name == "in" else "a/"), f"{BASE}/{name}"),
    ]
    reason = made.run("Processing", request)["FailureReason"]
    assert "cannot be a file and a folder at once" in reason
    assert reason.startswith("ClientError: input two: ")


def test_a_later_input_wins_over_an_earlier_ones_file_and_changes_no_object(bench: Callable[..., Bench]) -> None:
    made = bench()
    made.put("one/a", "one")
    made.put("two/a", "two")
    code = "(ML / 'processing/out/seen').write_text((ML / 'processing/in/a').read_text())"
    request = made.processing(code, ProcessingOutputConfig=one_output())
    request["ProcessingInputs"] += [
        processing_input(name, f"s3://data/{name}/", f"{BASE}/in") for name in ("one", "two")
    ]
    made.run("Processing", request)
    assert texts(made, "out/") == {"seen": "two"}
    assert texts(made, "one/") == {"a": "one"}


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system is root's to mount")
def test_a_store_that_cannot_be_written_fails_the_job_and_keeps_what_it_wrote(
    bench: Callable[..., Bench], mounted: Callable[..., None], tmp_path: Path
) -> None:
    store = tmp_path / ".pipelines/local/s3"
    mounted(store)  # a file system of its own: inputs are copied, for there are no links across
    made = bench()
    made.put("in/a", "kept")
    code = "(ML / 'processing/out/a').write_text((ML / 'processing/in/a').read_text() + ' too')"
    request = made.processing(code, ProcessingOutputConfig=one_output())
    request["ProcessingInputs"].append(processing_input("in", "s3://data/in/", f"{BASE}/in"))
    mounted(store, "remount,ro")
    reason = made.run("Processing", request)["FailureReason"]
    assert reason.startswith("ClientError: the store may not touch ")
    assert "Read-only file system; fix: let your user write there: " in reason
    kept = Path(reason.rpartition("is kept in ")[2])
    assert (kept / "algo-1/ml/processing/out/a").read_text() == "kept too"
    assert texts(made, "in/") == {"a": "kept"}


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system is root's to mount")
def test_a_full_disk_fails_the_job_and_what_was_stored_stays(
    bench: Callable[..., Bench], mounted: Callable[..., None], tmp_path: Path
) -> None:
    mounted(tmp_path / ".pipelines/local", f"size={4 << 20}")
    made = bench()
    made.put_bytes("big", b"x" * (3 << 20))
    copied = processing_input("big", "s3://data/big", f"{BASE}/both")
    request = made.processing(ProcessingOutputConfig=one_output(name="both"))
    request["ProcessingInputs"].append(copied)
    reason = made.run("Processing", request)["FailureReason"]
    assert reason.startswith("ClientError: input big: no room to store it: No space left on device; fix: free space")
    assert len(read(made, "big")) == 3 << 20
    code = "(ML / 'model/big').write_bytes(os.urandom(700_000))"
    record = made.run("Training", train(made, code))
    assert record["FailureReason"].startswith("ClientError: no room to store it: No space left on device")
    kept = Path(record["FailureReason"].rpartition("is kept in ")[2])
    assert (kept / "algo-1/ml/model/big").stat().st_size == 700_000
    assert len(read(made, "big")) == 3 << 20


DEEP = "import os\nos.chdir('/opt/ml/processing/out')\nfor _ in range(600): os.mkdir('d'); os.chdir('d')\n"


@pytest.mark.parametrize("mode", ["EndOfJob", "Continuous"])
def test_an_output_too_deep_for_any_key_ends_the_job_and_is_kept(bench: Callable[..., Bench], mode: str) -> None:
    made = bench()
    outputs = [processing_output("out", "s3://data/out", "/opt/ml/processing/out")]
    outputs[0]["S3Output"]["S3UploadMode"] = mode
    request = made.processing(DEEP + "open('file', 'w').close()", ProcessingOutputConfig={"Outputs": outputs})
    record = made.run("Processing", request)
    assert record["ProcessingJobStatus"] == "Failed"
    assert "too long" in record["FailureReason"] or "S3 allows 1024" in record["FailureReason"]
    assert "kept in" in record["FailureReason"]
    made.jobs.delete("Processing", "Job-1")
    assert not list(made.home.kept.rglob("ml"))


def test_a_file_whose_name_is_no_key_is_named_in_the_reason(bench: Callable[..., Bench]) -> None:
    made = bench()
    outputs = {"Outputs": [processing_output("out", "s3://data/out", "/opt/ml/processing/out")]}
    request = made.processing("open(b'/opt/ml/processing/out/a\\xff.csv', 'w')", ProcessingOutputConfig=outputs)
    reason = made.run("Processing", request)["FailureReason"]
    assert reason.startswith("ClientError: the key is not UTF-8; fix: ")
    assert "; at s3://data/'out/a\\udcff.csv'; what the program wrote is kept in " in reason
