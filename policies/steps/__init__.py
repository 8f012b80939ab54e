"""One verb per file; `policies.pipeline.STEPS` is their order."""
