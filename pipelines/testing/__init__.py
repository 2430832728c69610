"""For tests of pipelines: a local SageMaker as a pytest fixture, with failures on demand."""
